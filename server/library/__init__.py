"""Room library: playbooks that operators bring, from the browser or from git, and the credentials they run with."""
