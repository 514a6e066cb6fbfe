"""Every statement of the dossier room, one module per subject."""
