"""The curl command for an exposer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import quote

from adapter_host.capability.spec import Authentication


def curl(url: str, authentication: Authentication | None, *, method: str = "GET", options: Sequence[str] = ()) -> str:
    """Return a curl command for `url`, quoted for a shell, with placeholders for the credentials.

    `options` are further arguments, unquoted.
    """
    if authentication is not None and authentication.type == "apikey" and authentication.placement == "query":
        url += f"{'&' if '?' in url else '?'}{quote(authentication.key or '')}=..."
    words = ["curl", *([] if method == "GET" else ["-X", method]), url, *_credentials(authentication), *options]
    return shlex.join(words)


def _credentials(authentication: Authentication | None) -> list[str]:
    if authentication is None:
        return []
    if authentication.type in ("bearer", "oauth2"):
        return ["-H", "Authorization: Bearer ..."]
    if authentication.type == "apikey":
        return ["-H", f"{authentication.key}: ..."] if authentication.placement == "header" else []
    if authentication.type == "mutualtls":
        return ["--cert", "client.pem", "--key", "client.key"]
    return [*(["--digest"] if authentication.type == "digest" else []), "-u", "USER:PASSWORD"]
