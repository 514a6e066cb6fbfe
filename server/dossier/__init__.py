"""One host as all rooms know it: what happened to it, what it reported, what its agent does, how it differs."""
