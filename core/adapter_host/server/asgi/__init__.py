"""Requests of ASGI servers, as those of aiohttp."""
