"""Start the agent from a source tree: ``python -m agent``."""

import sys

from agent.cli import main

sys.exit(main())
