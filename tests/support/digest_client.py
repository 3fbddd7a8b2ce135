"""A client of digest authentication, of which every parameter can be changed."""

from __future__ import annotations

import hashlib
import re

from adapter_host.auth.digest import REALM

HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}


class Asked:
    """The attributes of a request that credentials read."""

    def __init__(self, authorization: str = "", path: str = "/get") -> None:
        self.headers = {"Authorization": authorization}
        self.method = "POST"
        self.raw_path = path


def nonce_of(challenge: str) -> str:
    """Return the nonce in a challenge."""
    result = re.search(r'nonce="([^"]+)"', challenge)
    assert result
    return result[1]


def header(
    nonce: str, *, algorithm: str = "SHA-256", user: str = "ann", password: str = "pässword", **changed: str | None
) -> str:
    """Return the response to a challenge for `POST /get`, with `changed` parameters; None removes one."""
    digest = HASHES[algorithm]
    parameters = {"nc": "00000001", "cnonce": "c", "qop": "auth", "uri": "/get", **changed}
    account = digest(f"{user}:{REALM}:{password}".encode()).hexdigest()
    action = digest(f"POST:{parameters['uri']}".encode()).hexdigest()
    parts = (account, nonce, parameters["nc"], parameters["cnonce"], parameters["qop"], action)
    response = digest(":".join(map(str, parts)).encode()).hexdigest()
    right: dict[str, str | None] = {
        "username": user,
        "realm": REALM,
        "nonce": nonce,
        "algorithm": algorithm,
        "response": response,
        **parameters,
        **changed,
    }
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in right.items() if value is not None)
