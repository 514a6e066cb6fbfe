"""What agents are asked to do beside jobs, and how that went."""
