"""What the agent does because it was asked to."""
