"""`next_items`: the tool that continues a result that is over its budget."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adapter_host import (
    ArgumentError,
    Arguments,
    Input,
    NotFoundError,
    Result,
    bare_media_type,
    decode_json,
)
from adapter_host_mcp.features.own_tools import check_arguments, own_tool
from adapter_host_mcp.features.tools import ResultForm, Tool

from .held import GONE, Held, HeldResults
from .parts import Part, part_from
from .results import NEXT_ITEMS, Budget, HeldLink

_CURSOR: Final = re.compile(r"([A-Za-z0-9_-]{24})\.(\d{1,9})")

_INPUTS: Final = (Input("cursor", "string", True, "The cursor in the earlier part of the result", max_length=64),)

_HINTS: Final = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}


class _PartResult(Result):
    """A held result, of which a part is shown."""

    __slots__ = ("held", "link", "part")

    def __init__(self, held: Held, link: HeldLink, part: Part) -> None:
        super().__init__(media_type=held.media_type, body=held.body)
        self.held = held
        self.link = link
        self.part = part


class _NextBudget:
    """Serializes parts in the form of the tool that has made the complete result."""

    label = None

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools

    async def members(self, result: Result, tool: Tool, form: ResultForm) -> tuple[bytes, str | None]:
        assert isinstance(result, _PartResult)
        maker = self._tools[result.held.tool]
        budget = maker.budget
        assert isinstance(budget, Budget)
        if maker.violation(result.part.data) is not None and maker.violation(result.data) is None:
            # A schema may want more items than the last part has.
            maker = replace(maker, results="text")
        return budget.part_members(result.part, result, maker, form, result.link)


def next_items_tool(tools: Mapping[str, Tool], held: HeldResults, model: Tool) -> Tool:
    """Return the tool; it reads what is held, and calls no API."""

    async def call(arguments: Arguments) -> Result:
        check_arguments(arguments, _INPUTS)
        found = _CURSOR.fullmatch(arguments["cursor"])
        if found is None:
            raise ArgumentError("cursor", "'cursor' is not valid; use that of an earlier part of a result")
        complete = await held.read(found[1])
        maker = tools.get(complete.tool)
        if complete.path is None or maker is None or not isinstance(maker.budget, Budget):
            raise NotFoundError(GONE)
        try:
            data = decode_json(complete.body, complete.media_type)
            part = part_from(data, complete.path, int(found[2]), maker.budget.spec.limit)
        except LookupError:
            raise ArgumentError("cursor", "'cursor' is not valid; the result has no item there") from None
        link = HeldLink(
            found[1], held.uri(found[1]), len(complete.body), complete.held_for, bare_media_type(complete.media_type)
        )
        return _PartResult(complete, link, part)

    description = (
        "Return the next items of a result that was over its budget. It reads the same result as before, and does not "
        "repeat the call."
    )
    tool = own_tool(model, NEXT_ITEMS, description, _INPUTS, call, _HINTS)
    # Every result is a part.
    return replace(tool, budget=_NextBudget(tools), most_bytes=-1)
