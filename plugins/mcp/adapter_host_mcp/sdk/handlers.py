"""Handlers of the SDK's server: resources, prompts, completion and tool calls."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from adapter_host import (
    ArgumentError,
    Arguments,
    CallScope,
    InternalError,
    NotFoundError,
    OperationError,
    Result,
    UpstreamStatusError,
    error_details,
    is_request_id,
    note_call,
)
from adapter_host_mcp.features.approvals import InputRequiredError, call_approved
from adapter_host_mcp.features.completion import (
    MAX_VALUES,
    Choices,
    can_complete,
    complete,
    prompt_choices,
    resource_choices,
)
from adapter_host_mcp.features.error_codes import report_internal_error, resource_error_code
from adapter_host_mcp.features.events import OnEvent
from adapter_host_mcp.features.prompts import Prompt
from adapter_host_mcp.features.request_meta import enter_meta
from adapter_host_mcp.features.resources import Resource
from adapter_host_mcp.features.tool_calls import KnownVersion, compile_call
from adapter_host_mcp.features.tool_results import (
    decode,
    describe_status,
)
from adapter_host_mcp.features.tools import Tool, unknown_tool
from adapter_host_mcp.http.messages import method_name

from .asking import asking_client_of
from .server import PaginatedList

if TYPE_CHECKING:
    from .tasks import Tasks

log = logging.getLogger("adapter_host.mcp")

REQUEST_ID_META: Final = "adapter-host/requestId"
"""The key of the request id in `_meta`, where there is no `X-Request-Id`."""

_MAX_SHOWN: Final = 200

Context = ServerRequestContext[None]


def add_resources(server: Server[None], resources: Sequence[Resource]) -> None:
    """Add handlers that list and read resources."""
    with_variables = [resource for resource in resources if resource.uri.variables]
    templates = PaginatedList(
        [
            types.ResourceTemplate.model_validate(
                {"uriTemplate": resource.uri.text, **resource.definition}, by_name=False
            )
            for resource in with_variables
        ],
        [resource.uri.text for resource in with_variables],
    )

    async def list_resources(_: Context, params: types.PaginatedRequestParams) -> types.ListResourcesResult:
        entries = [entry for resource in resources for entry in await resource.entries()]
        page, cursor = PaginatedList(entries, [entry["uri"] for entry in entries]).page(params)
        listed = [types.Resource.model_validate(entry, by_name=False) for entry in page]
        return types.ListResourcesResult(resources=listed, next_cursor=cursor)

    async def list_templates(_: Context, params: types.PaginatedRequestParams) -> types.ListResourceTemplatesResult:
        page, cursor = templates.page(params)
        return types.ListResourceTemplatesResult(resource_templates=page, next_cursor=cursor)

    async def read(context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        try:
            resource, arguments = _find_resource(resources, params.uri)
            result = await resource.operation.call(arguments)
        except OperationError as error:
            raise resource_error(error, params.uri, context.protocol_version) from error
        return types.ReadResourceResult(contents=[_contents(result, params.uri, resource)])

    server.add_request_handler("resources/list", types.PaginatedRequestParams, list_resources)
    server.add_request_handler("resources/templates/list", types.PaginatedRequestParams, list_templates)
    server.add_request_handler("resources/read", types.ReadResourceRequestParams, read)


def _find_resource(resources: Sequence[Resource], uri: str) -> tuple[Resource, Arguments]:
    for resource in resources:
        arguments = resource.match(uri)
        if arguments is not None:
            return resource, arguments
    raise NotFoundError("resource not found")


def _contents(result: Result, uri: str, resource: Resource) -> types.TextResourceContents | types.BlobResourceContents:
    media_type = resource.media_type(result)
    text = None if resource.binary else decode(result.body, result.media_type)
    if text is None and resource.mime_type and not resource.binary:
        text = decode(result.body, resource.mime_type)
    if text is not None:
        return types.TextResourceContents(uri=uri, text=text, mime_type=media_type or "text/plain")
    blob = base64.b64encode(result.body).decode()
    return types.BlobResourceContents(uri=uri, blob=blob, mime_type=media_type or "application/octet-stream")


def resource_error(error: OperationError, uri: str, version: str) -> MCPError:
    """Log an internal error; return the JSON-RPC error of a resource that cannot be read."""
    _log_internal_error(error, "resource", uri)
    data: dict[str, Any] = {"uri": uri, **_details(error)}
    message = error.message
    if isinstance(error, UpstreamStatusError):
        message = describe_status(error)
        data["status"] = error.upstream_status
        if error.body and (text := decode(error.body, error.media_type)) is not None:
            data["body"] = text
    return MCPError(resource_error_code(error, version), f"{uri[:_MAX_SHOWN]}: {message}", data)


def _details(error: OperationError) -> dict[str, Any]:
    """Return the details of an error of JSON-RPC, whose code is the kind of the error."""
    return {name: value for name, value in error_details(error).items() if name not in ("type", "upstream_status")}


def _log_internal_error(error: OperationError, kind: str, name: str) -> None:
    if isinstance(error, InternalError):
        log.error("%s '%s': %s", kind, name, error.message, exc_info=error)


def add_prompts(server: Server[None], prompts: Mapping[str, Prompt]) -> None:
    """Add handlers that list and render prompts."""
    pages = PaginatedList(
        [types.Prompt.model_validate(prompt.definition, by_name=False) for prompt in prompts.values()], list(prompts)
    )

    async def list_prompts(_: Context, params: types.PaginatedRequestParams) -> types.ListPromptsResult:
        page, cursor = pages.page(params)
        return types.ListPromptsResult(prompts=page, next_cursor=cursor)

    async def get_prompt(_: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        prompt = prompts.get(params.name)
        if prompt is None:
            raise MCPError(types.INVALID_PARAMS, f"Unknown prompt: {params.name[:_MAX_SHOWN]}")
        try:
            result = await prompt.operation.call(params.arguments or {})
        except OperationError as error:
            _log_internal_error(error, "prompt", prompt.name)
            code = types.INVALID_PARAMS if isinstance(error, ArgumentError) else types.INTERNAL_ERROR
            raise MCPError(code, error.message, _details(error) or None) from error
        data = {"description": prompt.description, "messages": result.data}
        return types.GetPromptResult.model_validate(data, by_name=False)

    server.add_request_handler("prompts/list", types.PaginatedRequestParams, list_prompts)
    server.add_request_handler("prompts/get", types.GetPromptRequestParams, get_prompt)


def add_completion(server: Server[None], resources: Sequence[Resource], prompts: Mapping[str, Prompt]) -> None:
    """Add the completion handler if the values of any argument are enumerated."""
    if not can_complete(resources, prompts.values()):
        return
    by_prompt, by_template = prompt_choices(prompts.values()), resource_choices(resources)

    async def complete_argument(_: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        if isinstance(params.ref, types.PromptReference):
            choices = _find_choices(by_prompt, params.ref.name, params.argument.name)
        else:
            choices = _find_choices(by_template, params.ref.uri, params.argument.name)
        matches = complete(choices, params.argument.value)
        completion = types.Completion(
            values=matches[:MAX_VALUES], total=len(matches), has_more=len(matches) > MAX_VALUES
        )
        return types.CompleteResult(completion=completion)

    server.add_request_handler("completion/complete", types.CompleteRequestParams, complete_argument)


def _find_choices(choices_by_name: Mapping[str, Choices], name: str, argument: str) -> Sequence[str]:
    if name not in choices_by_name:
        raise MCPError(types.INVALID_PARAMS, f"no completion for '{name[:_MAX_SHOWN]}'")
    if argument not in choices_by_name[name]:
        raise MCPError(types.INVALID_PARAMS, f"unknown argument '{argument[:_MAX_SHOWN]}' of '{name[:_MAX_SHOWN]}'")
    return choices_by_name[name][argument]


def add_tool_calls(
    server: Server[None],
    tools: Mapping[str, Tool],
    new_call: Callable[[str | None], CallScope],
    tasks: Tasks | None = None,
) -> None:
    """Add the handler that calls tools, for transports without a fast path.

    Requests run in a scope of `new_call`, which is called with the request id of the client, if it has sent one.
    """
    sdk_handler = server.get_request_handler("tools/call")
    calls = {name: compile_call(tool) for name, tool in tools.items()}

    async def call(context: Context, params: types.CallToolRequestParams) -> HandlerResult:
        tool = tools.get(params.name)
        if tool is None and sdk_handler is not None:
            return await sdk_handler.handler(context, params)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, unknown_tool(tools, params.name))
        stateless = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        capabilities = context.session.client_capabilities
        begin_task = None if tasks is None else tasks.start_call(tool, capabilities, "", stateless=stateless)
        arguments, version = params.arguments or {}, KnownVersion(context.protocol_version)
        on_event = progress_sender(context)
        call_once = partial(
            calls[tool.name], arguments, {}, version, allow_any_json=stateless, on_event=on_event, begin_task=begin_task
        )
        sent = params.model_dump(by_alias=True, include={"input_responses", "request_state"})
        try:
            members, _ = await call_approved(call_once, asking_client_of(context), sent)
        except InputRequiredError as error:
            return error.result
        # The standard library's parser keeps integers of any size.
        result = json.loads(b"{%b}" % members)
        return {"resultType": "complete", **result} if stateless else result

    server.add_request_handler("tools/call", types.CallToolRequestParams, call)

    async def run_in_scope(ctx: ServerRequestContext[None], call_next: CallNext) -> HandlerResult:
        sent = _sent_request_id(ctx.params)
        with new_call(sent):
            note_call(message=method_name(ctx.method))
            result = await _hide_unexpected_errors(ctx, call_next)
        if sent is not None and isinstance(result, dict):
            result = {**result, "_meta": {**(result.get("_meta") or {}), REQUEST_ID_META: sent}}
        return result

    server.middleware.append(run_in_scope)


def _sent_request_id(params: Mapping[str, Any] | None) -> str | None:
    meta = (params or {}).get("_meta")
    sent = meta.get(REQUEST_ID_META) if isinstance(meta, Mapping) else None
    return sent if isinstance(sent, str) and is_request_id(sent) else None


def progress_sender(context: Context) -> OnEvent | None:
    """Return a function that sends events as progress, if the client has sent a token."""
    if (context.meta or {}).get("progress_token") is None:
        return None

    async def send(progress: int, text: str) -> None:
        await context.session.report_progress(progress, message=text)

    return send


async def _hide_unexpected_errors(ctx: ServerRequestContext[None], call_next: CallNext) -> HandlerResult:
    meta = enter_meta(ctx.params)
    try:
        return await call_next(ctx)
    except MCPError as error:
        note_call(error=error.error.code)
        raise
    except ValidationError:
        note_call(error=types.INVALID_PARAMS)
        raise
    except Exception as error:
        # The protocol boundary: the SDK would send the error's message to the client.
        raise MCPError.from_error_data(
            types.ErrorData(**report_internal_error(ctx.method, ctx.params, error))
        ) from None
    finally:
        if meta is not None:
            meta.close()
