"""Results that are larger than the budget of their tool: a part of them, and how to get everything else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from adapter_host import Result, UpstreamInvalidError, bare_media_type, encode_json, is_json
from adapter_host_mcp.budget_config import BudgetSpec
from adapter_host_mcp.features.tool_results import content_text, empty_members, success_members, text_content
from adapter_host_mcp.features.tools import ResultForm, Tool

from .held import Held, HeldResults
from .parts import Part, first_part

log = logging.getLogger("adapter_host.mcp")

META_KEY: Final = "adapter-host/budget"
"""The key in `_meta` with the numbers of a part."""

NEXT_ITEMS: Final = "next_items"

_NO_DATA: Final = object()


@dataclass(frozen=True, slots=True)
class HeldLink:
    """A held result as its callers see it; `size` is in bytes, and it is held for `seconds`."""

    held_id: str
    uri: str
    size: int
    seconds: float
    media_type: str

    def cursor(self, start: int) -> str:
        """Return the cursor of the part that begins with an item."""
        return f"{self.held_id}.{start}"


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """The budget of a tool, which clients of `has_next_items` can continue with the tool of that name."""

    spec: BudgetSpec
    held: HeldResults
    has_next_items: bool
    is_declared: bool

    @property
    def label(self) -> str | None:
        """The declared budget; None for the default."""
        return self.spec.label if self.is_declared else None

    async def members(self, result: Result, tool: Tool, form: ResultForm) -> tuple[bytes, str | None]:
        """Return the members of a part of a result, and a message for a violation of the output schema.

        The result is complete if it is no text, if it is within the budget without its white space, or if it cannot be
        held: everything can be read.
        """
        data = _data_of(result, tool)
        if data is not _NO_DATA and len(encode_json(data)) <= self.spec.limit:
            return _complete(_with_data(result, data), tool, form)
        text = content_text(result, tool)
        if text is None:
            return _complete(result, tool, form)
        part = None
        if data is not _NO_DATA:
            is_valid = tool.violation(data) is None
            part = first_part(data, self.spec.limit, lambda cut: not is_valid or tool.violation(cut) is None)
        link = await self._hold(result, text, tool, part)
        if link is None:
            log.warning(
                "tool '%s': the result is over the budget and cannot be held; it is returned complete", tool.name
            )
            return _complete(result, tool, form)
        if part is None:
            return self._replaced(result, tool, form, link)
        return self.part_members(part, result, tool, form, link)

    async def _hold(self, result: Result, text: str, tool: Tool, part: Part | None) -> HeldLink | None:
        is_data = part is not None
        body = result.body if is_data else text.encode("utf-8", "replace")
        media_type = result.media_type if is_data else bare_media_type(result.media_type) or "text/plain"
        seconds = self.spec.held_for
        held_id = await self.held.hold(
            Held(tool.name, media_type, None if part is None else list(part.path), seconds, body)
        )
        if held_id is None:
            return None
        return HeldLink(held_id, self.held.uri(held_id), len(body), seconds, bare_media_type(media_type))

    def part_members(
        self, part: Part, result: Result, tool: Tool, form: ResultForm, link: HeldLink
    ) -> tuple[bytes, str | None]:
        """Return the members of a part of a held result."""
        start = part.next_start
        cursor = link.cursor(start) if start is not None and self.has_next_items else None
        meta = {"path": part.place, "total": part.total, "offset": part.start, "shown": part.shown}
        if cursor is not None:
            meta["cursor"] = cursor
        notes = _notes(_describe(part, self.spec.label, cursor), form, link)
        members, violation = success_members(
            _with_data(result, part.data), tool, allow_any_json=form.allow_any_json, notes=notes
        )
        return members + _meta_members(form, {**meta, **_link_meta(link)}), violation

    def _replaced(self, result: Result, tool: Tool, form: ResultForm, link: HeldLink) -> tuple[bytes, str | None]:
        text = f"The result is over the budget of {self.spec.label}, and no list in it can be shortened."
        notes = _notes(text, form, link)
        members, violation = empty_members(result, tool, allow_any_json=form.allow_any_json, notes=notes)
        return members + _meta_members(form, {"shown": 0, **_link_meta(link)}), violation


def _notes(text: str, form: ResultForm, link: HeldLink) -> Sequence[Mapping[str, Any]]:
    """Return the blocks that follow the content of a part."""
    size, duration = f"{link.size:,} bytes", _duration(link.seconds)
    note = text_content(f"[{text} The complete result ({size}) can be read for {duration} as resource {link.uri}]")
    if not form.allow_links:
        return [note]
    members = {"uri": link.uri, "name": "complete result", "mimeType": link.media_type, "size": link.size}
    return [note, {"type": "resource_link", **members}]


def _complete(result: Result, tool: Tool, form: ResultForm) -> tuple[bytes, str | None]:
    members, violation = success_members(result, tool, allow_any_json=form.allow_any_json)
    return members + form.result_meta, violation


def _with_data(result: Result, data: Any) -> Result:
    # The charset is that of the original body.
    return result.replace(data=data, media_type=bare_media_type(result.media_type))


def _data_of(result: Result, tool: Tool) -> Any:
    """Return the JSON of a result; `_NO_DATA` for other content."""
    if tool.operation.binary or not (result.holds_data or is_json(result.media_type)):
        return _NO_DATA
    try:
        data = result.data
        encode_json(data)
    except UpstreamInvalidError:
        return _NO_DATA
    return data


def _describe(part: Part, label: str, cursor: str | None) -> str:
    if part.shown:
        items = f"Items {part.start + 1:,} to {part.start + part.shown:,} of {part.total:,} of {part.place} are shown"
        text = f"{items}: the complete result is over the budget of {label}."
    else:
        text = f"Item {part.start + 1:,} of {part.total:,} of {part.place} is larger than the budget and not shown."
    if cursor is not None:
        return f"{text} For the next ones, call {NEXT_ITEMS} with the cursor {cursor}."
    return text if part.next_start is not None else f"{text} There are no more items."


def _link_meta(link: HeldLink) -> dict[str, Any]:
    return {"uri": link.uri, "size": link.size, "heldFor": link.seconds}


def _meta_members(form: ResultForm, meta: Mapping[str, Any]) -> bytes:
    """Return the members that every result has, with those of the budget in `_meta`."""
    members = orjson.loads(b"{%b}" % form.result_meta.removeprefix(b","))
    members["_meta"] = {**members.get("_meta", {}), META_KEY: meta}
    return b"," + orjson.dumps(members)[1:-1]


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
