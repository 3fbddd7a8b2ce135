"""Compile the `x-tls` of a consumed API."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final

from adapter_host.capability.client_tls_spec import ClientTlsSpec
from adapter_host.client_tls import ClientTls, ClientTlsFiles
from adapter_host.errors import StartError

from .context import BuildContext

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def compile_client_tls(spec: ClientTlsSpec | None, context: BuildContext) -> ClientTls | None:
    """Return the TLS of connections to an API, or None without `x-tls`, with `--mock`, or after reporting a problem.

    Files are relative to the document. They are read at once; a missing certificate or key is only reported at a
    start, as a missing secret.
    """
    if spec is None:
        return None
    server_name = spec.server_name
    if server_name is not None and not _is_host(server_name):
        message = f"'serverName' must be a host name or an address, without a port (given {server_name!r})"
        context.problem(message, spec, "serverName", code="invalid")
        return None
    if context.settings.mock:
        return None
    files = ClientTlsFiles(
        _path(spec.ca, spec, "ca", context),
        _path(spec.certificate, spec, "certificate", context),
        _path(spec.key or spec.certificate, spec, "key" if spec.key else "certificate", context),
    )
    if _reports_missing(files, spec, context):
        return None
    try:
        return ClientTls(context.namespace, files, server_name, context.settings.watch_interval)
    except StartError as error:
        context.problem(str(error), spec, code="tls")
        return None


def _path(text: str | None, spec: ClientTlsSpec, key: str, context: BuildContext) -> str | None:
    if text is None:
        return None
    document = context.loaded.source.position_of(context.loaded.loc(spec, key))[0]
    return str(Path(document).parent / text)


def _reports_missing(files: ClientTlsFiles, spec: ClientTlsSpec, context: BuildContext) -> bool:
    """Report the certificate and the key as secrets that are not set, if their files do not exist."""
    missing = [
        (name, path)
        for name, path in (("certificate", files.certificate), ("key", files.key))
        if path is not None and not Path(path).exists()
    ]
    for name, path in missing:
        key = name if name in spec.model_fields_set else "certificate"
        context.loaded.missing_secret(f"TLS {name} '{path}' does not exist; set a PEM file", spec, key)
    return bool(missing)


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return len(name) <= 253 and _HOST_NAME.fullmatch(name) is not None
    return True
