"""The exposer for the conformance suite: `type: mcp` with handlers that no document can declare.

Everything except the handlers below is that of the real exposer: endpoint, transport, sessions, streams, limits.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from adapter_host import RegisterExposer, hookimpl
from adapter_host_mcp.exposer import McpExposer

Context = ServerRequestContext[None]
Params = types.CallToolRequestParams
Handler = Callable[[Context, Any], Awaitable[Any]]

PIXEL: Final = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
PAUSE: Final = 0.05
NOTHING: Final = {"type": "object", "properties": {}}
SCHEMA: Final = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}}}},
    "properties": {
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
DEFAULTS: Final = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
CHOICES: Final = [{"const": f"value{number}", "title": f"Choice {number}"} for number in (1, 2, 3)]
ENUMS: Final = {
    "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
    "titledSingle": {"type": "string", "oneOf": CHOICES},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2"]}},
    "titledMulti": {"type": "array", "items": {"anyOf": CHOICES}},
}


def text(words: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=words)])


def form(message: str, **properties: Any) -> types.ElicitRequest:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(prompt: str) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=types.TextContent(text=prompt))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=100))


NAME: Final = form("What is your name?", name={"type": "string"})
CONFIRM: Final = form("Please confirm", ok={"type": "boolean"})
COLOR: Final = form("What is your favorite color?", color={"type": "string"})
CONTEXT: Final = form("What context should the prompt use?", context={"type": "string"})


async def mixed(context: Context, params: Params) -> types.CallToolResult:
    resource = types.TextResourceContents(uri="test://mixed", mime_type="application/json", text="{}")
    content: list[Any] = [
        types.TextContent(text="Several kinds:"),
        types.ImageContent(data=PIXEL, mime_type="image/png"),
        types.EmbeddedResource(resource=resource),
    ]
    return types.CallToolResult(content=content)


async def say(context: Context, words: str) -> None:
    params = types.LoggingMessageNotificationParams(level="info", data=words)
    await context.session.send_notification(
        types.LoggingMessageNotification(params=params), related_request_id=context.request_id
    )


async def log(context: Context, params: Params) -> types.CallToolResult:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await say(context, words)
        await asyncio.sleep(PAUSE)
    return text("done")


async def progress(context: Context, params: Params) -> types.CallToolResult:
    for percent in (0, 50, 100):
        await context.session.report_progress(percent, 100)
        await asyncio.sleep(PAUSE)
    return text("done")


async def reconnect(context: Context, params: Params) -> types.CallToolResult:
    if context.close_sse_stream is not None:
        await context.close_sse_stream()
    await asyncio.sleep(PAUSE)
    return text("done")


async def ask_model(context: Context, params: Params) -> types.CallToolResult:
    asked = sample((params.arguments or {})["prompt"])
    result = await request(context, asked, types.CreateMessageResult)
    return text(f"LLM response: {result.content}")


async def ask_person(context: Context, params: Params) -> types.CallToolResult:
    fields = {"username": {"type": "string"}, "email": {"type": "string"}}
    result = await request(context, form((params.arguments or {})["message"], **fields), types.ElicitResult)
    return text(f"User response: action={result.action}, content={result.content}")


def ask_for(fields: Mapping[str, Any]) -> Handler:
    async def ask(context: Context, params: Params) -> types.CallToolResult:
        schema = {"type": "object", "properties": fields}
        elicitation = types.ElicitRequestFormParams(message="Please fill in", requested_schema=schema)
        result = await request(context, types.ElicitRequest(params=elicitation), types.ElicitResult)
        return text(f"Elicitation completed: action={result.action}, content={result.content}")

    return ask


async def request(context: Context, asked: Any, kind: type[Any]) -> Any:
    capability = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation"}[asked.method]
    if getattr(context.session.client_capabilities, capability, None) is None:
        raise MCPError(types.INVALID_REQUEST, f"the client has no {capability}")
    return await context.session.send_request(asked, kind)


async def need_sampling(context: Context, params: Params) -> types.CallToolResult:
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        data: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "the tool needs sampling", data)
    return text("the client has sampling")


async def greet(context: Context, params: Any) -> types.CallToolResult | types.InputRequiredResult:
    elicited = (params.input_responses or {}).get("user_name")
    if not isinstance(elicited, types.ElicitResult) or not elicited.content:
        return types.InputRequiredResult(input_requests={"user_name": NAME})
    return text(f"Hello, {elicited.content['name']}!")


def require(requests: dict[str, Any], state: str | None = None) -> Handler:
    """Return a tool with two rounds: it requests all client inputs at once, and then completes."""

    async def ask(context: Context, params: Params) -> types.CallToolResult | types.InputRequiredResult:
        given = params.input_responses or {}
        if not requests.keys() <= given.keys():
            return types.InputRequiredResult(input_requests=requests, request_state=state)
        if params.request_state != state:
            raise MCPError(types.INVALID_PARAMS, "the state is another one")
        return text(f"state-ok {given}")

    return ask


async def ask_twice(context: Context, params: Params) -> types.CallToolResult | types.InputRequiredResult:
    if params.request_state is None:
        return types.InputRequiredResult(input_requests={"step1": NAME}, request_state="1")
    if params.request_state == "1":
        return types.InputRequiredResult(input_requests={"step2": COLOR}, request_state="2")
    return text("done")


async def ask_what_is_declared(context: Context, params: Params) -> types.InputRequiredResult:
    capabilities = context.session.client_capabilities
    possible: dict[str, Any] = {"elicitation": NAME, "sampling": sample("Say something")}
    requests = {name: asked for name, asked in possible.items() if getattr(capabilities, name, None) is not None}
    return types.InputRequiredResult(input_requests=requests, request_state="asked")


async def echo(context: Context, params: Params) -> types.CallToolResult:
    return text(f"{params.arguments}")


def tool(name: str, **properties: Any) -> types.Tool:
    required = [key for key, schema in properties.items() if "x-mcp-header" not in schema]
    schema = {"type": "object", "properties": properties, "required": required}
    return types.Tool(name=name, description=f"The tool {name} of the suite", input_schema=schema)


WORDS: Final = {"type": "string"}
ROOTS: Final = types.ListRootsRequest()
EVERYTHING: Final = {"user_name": NAME, "greeting": sample("Generate a greeting"), "client_roots": ROOTS}

TOOLS: Final[list[tuple[types.Tool, Handler]]] = [
    (tool("test_multiple_content_types"), mixed),
    (tool("test_tool_with_logging"), log),
    (tool("test_logging_tool"), log),
    (tool("test_tool_with_progress"), progress),
    (tool("test_reconnection"), reconnect),
    (tool("test_sampling", prompt=WORDS), ask_model),
    (tool("test_elicitation", message=WORDS), ask_person),
    (tool("test_elicitation_sep1034_defaults"), ask_for(DEFAULTS)),
    (tool("test_elicitation_sep1330_enums"), ask_for(ENUMS)),
    (tool("test_missing_capability"), need_sampling),
    (tool("test_streaming_elicitation"), greet),
    (tool("test_header", region={"type": "string", "x-mcp-header": "Region"}), echo),
    (tool("test_input_required_result_elicitation"), greet),
    (tool("test_input_required_result_sampling"), require({"capital_question": sample("The capital of France?")})),
    (tool("test_input_required_result_list_roots"), require({"client_roots": ROOTS})),
    (tool("test_input_required_result_request_state"), require({"confirm": CONFIRM}, "kept")),
    (tool("test_input_required_result_tampered_state"), require({"confirm": CONFIRM}, "kept")),
    (tool("test_input_required_result_multiple_inputs"), require(EVERYTHING, "kept")),
    (tool("test_input_required_result_multi_round"), ask_twice),
    (tool("test_input_required_result_capabilities"), ask_what_is_declared),
    (types.Tool(name="json_schema_2020_12_tool", description="Takes much", input_schema=SCHEMA), echo),
]


def message(content: Any) -> types.PromptMessage:
    return types.PromptMessage(role="user", content=content)


async def resource_prompt(context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    uri = (params.arguments or {})["resourceUri"]
    resource = types.TextResourceContents(uri=uri, mime_type="text/plain", text="An embedded resource.")
    asked = types.TextContent(text="Please process it.")
    return types.GetPromptResult(messages=[message(types.EmbeddedResource(resource=resource)), message(asked)])


async def image_prompt(context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    asked = types.TextContent(text="Please look at it.")
    return types.GetPromptResult(
        messages=[message(types.ImageContent(data=PIXEL, mime_type="image/png")), message(asked)]
    )


async def asking_prompt(
    context: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    if "user_context" not in (params.input_responses or {}):
        return types.InputRequiredResult(input_requests={"user_context": CONTEXT})
    return types.GetPromptResult(messages=[message(types.TextContent(text="With your context."))])


URI: Final = types.PromptArgument(name="resourceUri", required=True)
PROMPTS: Final[list[tuple[types.Prompt, Handler]]] = [
    (
        types.Prompt(name="test_prompt_with_embedded_resource", description="Has a resource", arguments=[URI]),
        resource_prompt,
    ),
    (types.Prompt(name="test_prompt_with_image", description="Has an image"), image_prompt),
    (types.Prompt(name="test_input_required_result_prompt", description="Asks first"), asking_prompt),
]


class ConformanceExposer(McpExposer):
    """`type: mcp-conformance`."""

    def build_server(self) -> Server[None]:
        server = super().build_server()
        tools = [*TOOLS, *self._triggers()]
        extend(server, "tools/list", "tools", [declared for declared, _ in tools])
        extend(server, "prompts/list", "prompts", [declared for declared, _ in PROMPTS])
        route(server, "tools/call", types.CallToolRequestParams, {each.name: call for each, call in tools})
        route(server, "prompts/get", types.GetPromptRequestParams, {each.name: give for each, give in PROMPTS})
        schemas = {each.name: each.input_schema for each, _ in tools}
        server.get_tool_input_schema = schemas.get
        for method, kind in (
            ("subscribe", types.SubscribeRequestParams),
            ("unsubscribe", types.UnsubscribeRequestParams),
        ):
            server.add_request_handler(f"resources/{method}", kind, agree)
        return server

    def _triggers(self) -> list[tuple[types.Tool, Handler]]:
        async def change(context: Context, params: Params) -> types.CallToolResult:
            self.notify_reload()
            return text("changed")

        return [(tool("test_trigger_tool_change"), change), (tool("test_trigger_prompt_change"), change)]


async def agree(context: Context, params: Any) -> types.EmptyResult:
    return types.EmptyResult()


def extend(server: Server[None], method: str, key: str, more: list[Any]) -> None:
    """Add entries to a list of the document's declarations."""
    entry = server.get_request_handler(method)
    assert entry is not None

    async def both(context: Context, params: Any) -> Any:
        listed: Any = await entry.handler(context, params)
        return listed.model_copy(update={key: [*getattr(listed, key), *more]})

    server.add_request_handler(method, entry.params_type, both)


def route(server: Server[None], method: str, kind: type[Any], handlers: Mapping[str, Handler]) -> None:
    """Handle names of the suite, and delegate all others to the document's handler."""
    entry = server.get_request_handler(method)

    async def find(context: Context, params: Any) -> Any:
        if params.name in handlers:
            return await handlers[params.name](context, params)
        if entry is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no {params.name}")
        return await entry.handler(context, params)

    server.add_request_handler(method, kind, find)


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    register("mcp-conformance", ConformanceExposer)
