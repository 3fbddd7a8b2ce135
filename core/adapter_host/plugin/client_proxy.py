"""Compile the `x-proxy` of a consumed API."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from yarl import URL

from adapter_host.capability.model import Model
from adapter_host.client_proxy import SOCKS, ClientProxy

from .context import BuildContext

_KEY: Final = "x-proxy"
_PORTS: Final = {"http": 80, "https": 443, SOCKS: 1080}
_FORM: Final = "http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT, with USER:PASSWORD@ if needed"


def compile_client_proxy(
    text: str | None, config: Model, context: BuildContext, *, socks_extra: str = ""
) -> ClientProxy | None:
    """Return the proxy of a consumer, or None without one, without its secrets, or after reporting a problem.

    `socks_extra` is the distribution, with its extra, that brings the library for SOCKS if it is optional.
    """
    if text is None:
        return None
    template = context.secret(text, config, _KEY)
    if not context.has_value(template):
        return None
    label = ClientProxy.label_of(template.masked())
    error = None
    try:
        url = URL(template.constant or "")
        if url.scheme not in _PORTS or not url.host or (url.path.strip("/") or url.query_string or url.fragment):
            error = f"must be {_FORM}"
        elif not ((url.user or "") + (url.password or "")).isascii():
            error = "must have an ASCII user and password"
        elif socks_extra and url.scheme == SOCKS and find_spec("python_socks") is None:
            error = f"is a SOCKS proxy, which needs a library; run pip install '{socks_extra}'"
    except ValueError:
        error = "is not a valid URL; encode reserved characters of its user and password, such as %40 for @"
    if error is not None:
        context.problem(f"the proxy '{label}' {error}", config, _KEY, code="proxy")
        return None
    return ClientProxy(url if url.port else url.with_port(_PORTS[url.scheme]), label)
