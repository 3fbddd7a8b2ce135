"""Send requests and receive responses, natively or through aiohttp. Imports `request`."""
