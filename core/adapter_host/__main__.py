"""Run the command `adapter-host` as `python -m adapter_host`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
