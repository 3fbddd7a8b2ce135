"""Describes requests by the OpenTelemetry semantic conventions for MCP, for plugins that measure and trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from adapter_host import Attributes, BuildContext, DurationMetric, OperationError, RequestDescription
from adapter_host_mcp.protocol import HANDSHAKE_VERSIONS, INTERNAL_ERROR, STATELESS_VERSION

from .error_codes import resource_error_code
from .resources import Resource
from .tools import Tool

DURATION: Final = DurationMetric(
    "mcp.server.operation.duration",
    "Duration of MCP requests.",
    (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300),
)

TOOL_ERROR: Final = "tool_error"
"""The `error.type` of a result with `isError`."""

_MAX_ID: Final = 200
"""Characters of a request id; the client chooses it."""

_VERSIONS: Final = frozenset({STATELESS_VERSION, *HANDSHAKE_VERSIONS})

HTTP: Final[Attributes] = {"network.transport": "tcp", "network.protocol.name": "http"}
STDIO: Final[Attributes] = {"network.transport": "pipe"}


class RequestDescriber:
    """Describes requests for the operations of these tools and resources."""

    def __init__(self, tools: Mapping[str, Tool], resources: Sequence[Resource]) -> None:
        self._tools = tools
        self._resources = resources

    def describe(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        request_id: str | int | None,
        *,
        version: str | None,
        session_id: str | None = None,
        network: Attributes,
    ) -> RequestDescription:
        """Return the description of a request that calls an operation, so its names are valid."""
        params = params or {}
        labels = {"mcp.method.name": method, **network}
        # A client names the version, and labels must have few values.
        if version in _VERSIONS:
            labels["mcp.protocol.version"] = version
        ids = {"jsonrpc.request.id": None if request_id is None else str(request_id)[:_MAX_ID]}
        ids["mcp.session.id"] = session_id
        span_name = method
        if method == "tools/call":
            tool = self._tool_name(params)
            labels |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
            span_name = f"{method} {tool}"
        elif method == "resources/read":
            ids["mcp.resource.uri"] = self._declared_uri(params)
        attributes = {name: value for name, value in ids.items() if value is not None}
        return RequestDescription(span_name, DURATION, labels, attributes, partial(_describe_error, method, version))

    def _tool_name(self, params: Mapping[str, Any]) -> str:
        """Return the name of the tool that a request calls, also by another one that finds it."""
        tool = self._tools.get(params["name"])
        return str(params["name"] if tool is None or tool.router is None else params["arguments"]["name"])

    def _declared_uri(self, params: Mapping[str, Any]) -> str | None:
        """Return the URI in the document, with a name in place of each value."""
        uri = str(params.get("uri"))
        return next((resource.uri.text for resource in self._resources if resource.match(uri) is not None), None)


def request_describer(
    context: BuildContext, tools: Mapping[str, Tool], resources: Sequence[Resource]
) -> RequestDescriber | None:
    """Return the describer of an exposer's requests; None if no plugin reads descriptions."""
    return RequestDescriber(tools, resources) if context.describes_requests else None


def _describe_error(method: str, version: str | None, error: Exception) -> Attributes:
    if not isinstance(error, OperationError):
        code = INTERNAL_ERROR
    elif method == "resources/read":
        code = resource_error_code(error, version)
    else:
        return {"error.type": TOOL_ERROR}
    return {"error.type": str(code), "rpc.response.status_code": str(code)}
