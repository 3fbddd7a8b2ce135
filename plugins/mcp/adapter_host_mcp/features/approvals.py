"""Approvals by the person at a client: the question in each revision, and the decision in its response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapter_host import CLIENT_DECISION, ApprovalRequiredError, ClientDecision, encode_json
from adapter_host_mcp.protocol import HANDSHAKE_VERSIONS

from .tool_calls import Members
from .tool_results import error_members

ELICIT: Final = "elicitation/create"
INPUT: Final = "approval"
"""The key of the question in `inputRequests`."""

UNDECIDED: Final = "the person at the client has not decided about this call; repeat it to ask again"

_URL_VERSION: Final = "2025-11-25"
"""The first revision with elicitation by URL."""

_SCHEMA: Final = {
    "type": "object",
    "properties": {"approve": {"type": "boolean", "title": "Approve this call", "default": False}},
    "required": ["approve"],
}

PreparedCall = Callable[..., Awaitable[Members]]
"""A `ToolCall` with all of its arguments but `asks`."""

Elicit = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Sends the parameters of an elicitation to the client, and returns the result."""


@dataclass(frozen=True, slots=True)
class Question:
    """The parameters of an elicitation; `decides` is whether its result is the decision, or only opens a page."""

    params: Mapping[str, Any]
    state: str
    decides: bool

    def input_required(self) -> dict[str, Any]:
        """Return the result that asks for the decision (2026-07-28)."""
        result = {"resultType": "input_required", "inputRequests": {INPUT: {"method": ELICIT, "params": self.params}}}
        return {**result, "requestState": self.state} if self.decides else result


def question_for(error: ApprovalRequiredError, capabilities: Any, version: str) -> Question | None:
    """Return the question that a client with these capabilities can ask; None if it can ask none."""
    modes = capabilities.get("elicitation") if isinstance(capabilities, Mapping) else None
    if not isinstance(modes, Mapping):
        return None
    # Without a mode, it is a form.
    if error.state and ("form" in modes or not modes):
        return Question({"mode": "form", "message": error.question, "requestedSchema": _SCHEMA}, error.state, True)
    if error.url is None or "url" not in modes or version < _URL_VERSION:
        return None
    params = {"mode": "url", "message": error.message, "url": error.url}
    if version == _URL_VERSION:
        params["elicitationId"] = error.url.rpartition("/")[2]
    return Question(params, "", False)


def read_decision(result: Any, state: str) -> ClientDecision | None:
    """Return the decision in the result of an elicitation; None if the person has made none."""
    if not isinstance(result, Mapping):
        return None
    content = result.get("content")
    approve = content.get("approve") if isinstance(content, Mapping) else None
    match result.get("action"):
        case "accept" if isinstance(approve, bool):
            return ClientDecision(state, approve)
        case "decline":
            return ClientDecision(state, approved=False)
    return None


@dataclass(frozen=True, slots=True)
class Resumed:
    """What a client sends again with a call (2026-07-28): its response to the question, and the state of it."""

    is_repeat: bool = False
    decision: ClientDecision | None = None
    is_undecided: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Resumed:
        """Read the parameters of a call."""
        responses, state = params.get("inputResponses"), params.get("requestState")
        if not isinstance(responses, Mapping) or INPUT not in responses:
            return cls()
        response = responses[INPUT]
        if not isinstance(state, str):
            action = response.get("action") if isinstance(response, Mapping) else None
            return cls(is_repeat=True, is_undecided=action != "accept")
        decision = read_decision(response, state)
        return cls(is_repeat=True, decision=decision, is_undecided=decision is None)


class InputRequiredError(Exception):
    """A client must ask a person before the call is made; `result` is that of the call (2026-07-28)."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


@dataclass(frozen=True, slots=True)
class AskingClient:
    """A client that may ask a person; `elicit` is None if no request can be sent to it."""

    version: str
    capabilities: Any
    elicit: Elicit | None = None


async def call_approved(
    call: PreparedCall,
    client: AskingClient,
    params: Mapping[str, Any],
    required: ApprovalRequiredError | None = None,
    result_meta: bytes = b"",
) -> Members:
    """Call a tool, and let the client ask its person where that is required; return what the call returns.

    `required` is the error of the call if it was made already, and `result_meta` is that of the call. Raise
    `InputRequiredError`.
    """
    is_stateless = client.version not in HANDSHAKE_VERSIONS
    resumed = Resumed.of(params) if is_stateless else Resumed()
    if resumed.is_undecided:
        return undecided_members() + result_meta, None
    try:
        if required is not None:
            raise required
        return await _call_decided(call, resumed.decision)
    except ApprovalRequiredError as error:
        question = None if resumed.is_repeat else question_for(error, client.capabilities, client.version)
        if question is None:
            return error_members(error, result_meta), None
        if is_stateless:
            raise InputRequiredError(question.input_required()) from None
        if client.elicit is None:
            return error_members(error, result_meta), None
    result = await client.elicit(question.params)
    if not question.decides and result.get("action") == "accept":
        return await call(asks=False)
    decision = read_decision(result, question.state) if question.decides else None
    if decision is None:
        return undecided_members() + result_meta, None
    return await _call_decided(call, decision)


async def _call_decided(call: PreparedCall, decision: ClientDecision | None) -> Members:
    if decision is None:
        return await call(asks=True)
    token = CLIENT_DECISION.set(decision)
    try:
        return await call(asks=False)
    finally:
        CLIENT_DECISION.reset(token)


def undecided_members() -> bytes:
    """Return the members of the result of a call that a person has not decided about."""
    content = encode_json([{"type": "text", "text": UNDECIDED}])
    return b'"content":%b,"isError":true' % content
