"""Docker: what containers, images, volumes and networks hosts have, and what of it could be newer."""
