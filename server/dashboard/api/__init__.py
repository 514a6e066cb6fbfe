"""The doors for probes, and the overview as JSON, one module per noun."""

from typing import Final

from server.dashboard.api import figures, finding, preferences, probes

routes: Final = (*probes.routes, *figures.routes, *preferences.routes, *finding.routes)
set_up = probes.set_up
