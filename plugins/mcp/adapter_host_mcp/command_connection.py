"""Connect the commands `list` and `call-tool` to a server, or to a process that serves a file."""

from __future__ import annotations

import argparse
import logging
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from adapter_host import AdapterHostError

from .command_rest import RestServer, find_rest_server, write_capability

TIMEOUT = 60.0
"""Seconds for one request to a server."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection to a server; `bodies` are arguments that are bodies of requests, by the names of their tools."""

    client: Client
    bodies: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def connected(options: argparse.Namespace) -> AsyncIterator[Connection]:
    """Connect to the server; raise `AdapterHostError` if that or a request fails."""
    if not _is_url(options.server) and not _is_file(options.server):
        raise AdapterHostError(f"'{options.server}' is neither an http or https URL nor a file")
    # The SDK raises what it logs.
    logging.getLogger("mcp").addHandler(logging.NullHandler())
    # The problems of a file matter only if it cannot be served.
    log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
    try:
        async with _connection(options, log) as connection:
            yield connection
    except AdapterHostError:
        raise
    except Exception as error:
        log.seek(0)
        sys.stderr.write(printable(log.read()))
        cause = _cause(error)
        if isinstance(cause, AdapterHostError):
            raise cause from None
        raise AdapterHostError(f"'{options.server}' cannot be used: {str(cause) or type(cause).__name__}") from error
    finally:
        log.close()


@asynccontextmanager
async def _connection(options: argparse.Namespace, log: TextIO) -> AsyncIterator[Connection]:
    if not _is_url(options.server):
        async with _served(options.server, ["--mock"] if options.mock else [], {}, log) as client:
            yield Connection(client)
        return
    headers = dict(options.header)
    async with httpx2.AsyncClient(headers=headers, timeout=TIMEOUT, verify=_tls_context(options)) as http:
        found = await find_rest_server(http, options.server)
        if not isinstance(found, RestServer):
            async with _mcp_client(http, options.server, found) as client:
                yield Connection(client)
            return
    with tempfile.TemporaryDirectory() as folder:
        rest = write_capability(found, Path(folder), headers, options.ca, options.client_cert)
        async with _served(rest.file, [], rest.environment, log) as client:
            yield Connection(client, rest.bodies)


@asynccontextmanager
async def _mcp_client(http: httpx2.AsyncClient, url: str, status: int) -> AsyncIterator[Client]:
    """Connect to an MCP server; `status` is that of the response where a REST exposer has its document."""
    entered = False
    try:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            entered = True
            yield client
    except Exception as error:
        if entered:
            raise
        cause = _cause(error)
        refused = isinstance(cause, httpx2.HTTPStatusError) and cause.response.status_code in (401, 403)
        if refused or status in (401, 403):
            message = f"'{url}' requires credentials; set --header, such as --header 'Authorization: Bearer ...'"
            raise AdapterHostError(message) from error
        message = f"'{url}' is neither an MCP server ({cause}) nor a REST exposer (/openapi.json: {status})"
        raise AdapterHostError(message) from error


@asynccontextmanager
async def _served(
    file: str, arguments: Sequence[str], environment: Mapping[str, str], log: TextIO
) -> AsyncIterator[Client]:
    """Serve a file by another process, and connect to it."""
    command = ["-m", "adapter_host", "serve", "--stdio", "--log-level", "error", *arguments, file]
    parameters = StdioServerParameters(command=sys.executable, args=command, env=dict(environment))
    async with Client(stdio_client(parameters, log)) as client:
        yield client


def _is_file(server: str) -> bool:
    return Path(server).is_file()


def _is_url(server: str) -> bool:
    return server.startswith(("http://", "https://"))


def _tls_context(options: argparse.Namespace) -> ssl.SSLContext:
    """Return the context for https URLs; raise `AdapterHostError` for a file that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=options.ca)
    except OSError as error:
        raise AdapterHostError(f"--ca: cannot read certificates from '{options.ca}': {_reason(error)}") from error
    if options.client_cert is not None:
        try:
            context.load_cert_chain(options.client_cert)
        except OSError as error:
            message = f"--client-cert: cannot read a certificate and its key from '{options.client_cert}'"
            raise AdapterHostError(f"{message}: {_reason(error)}") from error
    return context


def _reason(error: OSError) -> str:
    return "no valid PEM" if isinstance(error, ssl.SSLError) else (error.strerror or str(error)).lower()


def _cause(error: BaseException) -> BaseException:
    """Return the first error in groups of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def printable(text: str) -> str:
    """Return a text that cannot control a terminal."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )
