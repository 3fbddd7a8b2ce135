"""Exit with 0 if a URL responds with 200: the health check of the image, which has no curl."""

import sys
from urllib.error import URLError
from urllib.request import urlopen

try:
    with urlopen(sys.argv[1], timeout=2) as response:
        sys.exit(0 if response.status == 200 else 1)
except (URLError, OSError) as error:
    sys.exit(f"not healthy: {error}")
