"""Says in one sentence what is missing when this machine cannot make the environment."""

import sys


def main() -> int:
    """Return 0 when Python is new enough and can make environments."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info < (3, 11):  # noqa: UP036 (an older Python running this is the case it is for)
        print(f"Python 3.11 or newer is needed, this is {version}. Use: make PYTHON=/path/to/python3.11 ...")
        return 1
    try:
        import ensurepip  # noqa: F401, PLC0415 (its absence is what is asked)
        import venv  # noqa: F401, PLC0415
    except ImportError:
        print(f"Python's venv module is missing. Install it once: apt-get install python{version}-venv")
        return 1
    return 0


sys.exit(main())
