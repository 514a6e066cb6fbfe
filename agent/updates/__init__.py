"""New versions of this agent: taking one, having it on trial, and going over to it without losing a job."""
