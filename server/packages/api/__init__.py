"""Packages and repositories for people's programs, one module per noun."""

from typing import Final

from server.packages.api import packages, repositories

routes: Final = (*packages.routes, *repositories.routes)
