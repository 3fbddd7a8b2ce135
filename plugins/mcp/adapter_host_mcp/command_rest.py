"""A running REST exposer for the commands: its OpenAPI document as a file that is served as tools."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx2

from adapter_host import AdapterHostError, ProblemsError, capability_from_openapi

MAX_DOCUMENT: Final = 32 * 1024 * 1024
"""Bytes of an OpenAPI document, as for files."""

_DOCUMENT: Final = "openapi.json"
_PAGE: Final = "/docs"
_PASSED_ON: Final = ("http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables of the environment that requests depend on."""

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RestServer:
    """The OpenAPI document of a REST exposer, and the base URL of its paths."""

    document: Data
    base_url: str


@dataclass(frozen=True, slots=True)
class RestCapability:
    """A file whose tools call a REST exposer, and its environment, which alone has the headers.

    `bodies` are the arguments that are the complete body of a request, by the names of their tools.
    """

    file: str
    environment: Mapping[str, str]
    bodies: Mapping[str, str]


async def find_rest_server(client: httpx2.AsyncClient, url: str) -> RestServer | int:
    """Return the REST exposer at a URL, or the status of the response if it has no OpenAPI document."""
    parts = urlsplit(url)
    root = parts._replace(
        path=parts.path.rstrip("/").removesuffix(f"/{_DOCUMENT}").removesuffix(_PAGE), query="", fragment=""
    ).geturl()
    source = f"{root}/{_DOCUMENT}{'?' if parts.query else ''}{parts.query}"
    async with client.stream("GET", source, headers={"Accept": "application/json"}) as response:
        # Anything else, such as a stream of events, may never end.
        if response.status_code != 200 or "json" not in response.headers.get("Content-Type", ""):
            return response.status_code
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_DOCUMENT:
                raise AdapterHostError(f"'{root}/{_DOCUMENT}' is larger than {MAX_DOCUMENT // 1024**2} MiB")
    try:
        document = json.loads(body)
    except ValueError:
        return 200
    if not isinstance(document, dict) or not isinstance(document.get("openapi"), str):
        return 200
    return RestServer(document, _base_url(root, document))


def _base_url(root: str, document: Data) -> str:
    """Return the URL of the first server if it has the origin of the exposer, else that of the exposer.

    Credentials for the exposer must not be sent elsewhere.
    """
    match document.get("servers"):
        case [{"url": str(declared)}, *_] if "{" not in declared:
            server = urljoin(f"{root}/{_DOCUMENT}", declared).rstrip("/")
            return server if urlsplit(server)[:2] == urlsplit(root)[:2] else root
    return root


def write_capability(
    server: RestServer, folder: Path, headers: Mapping[str, str], ca: str | None, client_cert: str | None
) -> RestCapability:
    """Write the capability whose tools call the exposer; raise `AdapterHostError` for a document that is invalid."""
    source = folder / _DOCUMENT
    source.write_text(json.dumps(_without_security(server)))
    try:
        capability = capability_from_openapi(str(source))
    except ProblemsError as error:
        reasons = "; ".join(problem.message for problem in error.problems)
        raise AdapterHostError(f"the OpenAPI document of '{server.base_url}' cannot be used: {reasons}") from None
    secrets = {f"HEADER_{number}": value for number, value in enumerate(headers.values())}
    sent = [
        {"name": name, "in": "header", "value": f"{{{{{key}}}}}"} for name, key in zip(headers, secrets, strict=True)
    ]
    files = {"ca": ca, "certificate": client_cert}
    tls = {key: str(Path(path).absolute()) for key, path in files.items() if path is not None}
    inner = capability["capability"]
    for consumed in inner["consumes"]:
        consumed |= {
            **({"inputParameters": sent} if sent else {}),
            **({"x-tls": tls} if tls and server.base_url.startswith("https:") else {}),
        }
    inner["exposes"] = [exposed for exposed in inner["exposes"] if exposed["type"] == "mcp"]
    capability["binds"] = [{"namespace": "env", "keys": {key: key for key in secrets}}] if secrets else []
    file = folder / "exposer.yaml"
    file.write_text(json.dumps(capability))
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return RestCapability(str(file), {**passed_on, **secrets}, dict(_bodies(inner["consumes"])))


def _bodies(consumes: Iterable[Data]) -> Iterator[tuple[str, str]]:
    """Yield the names of tools with the name of the argument that is the complete body."""
    for consumed in consumes:
        for operation in (each for resource in consumed["resources"] for each in resource["operations"]):
            names = [each["name"] for each in operation.get("inputParameters", ()) if each.get("in") == "body"]
            if len(names) == 1 and "body" not in operation:
                yield operation["name"], names[0]


def _without_security(server: RestServer) -> Data:
    """Return the document with the only server and without credentials, in whose place are the headers."""
    document = {key: value for key, value in server.document.items() if key not in ("security", "servers")}
    components = {key: value for key, value in document.get("components", {}).items() if key != "securitySchemes"}
    paths = {path: _item_without_security(item) for path, item in document.get("paths", {}).items()}
    return {**document, "servers": [{"url": server.base_url}], "components": components, "paths": paths}


def _item_without_security(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    return {
        key: {name: each for name, each in value.items() if name not in ("security", "servers")}
        if isinstance(value, dict)
        else value
        for key, value in item.items()
        if key != "servers"
    }
