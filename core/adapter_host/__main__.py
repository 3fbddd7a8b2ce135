"""`python -m adapter_host` is the command `adapter-host`."""

import sys

from adapter_host.cli import main

if __name__ == "__main__":
    sys.exit(main())
