"""`python -m adapter_host` is the command `adapter-host`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
