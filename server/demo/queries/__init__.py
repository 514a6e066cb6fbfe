"""Every statement of the demonstration: it fills the tables of all rooms, set by set, and empties them again."""
