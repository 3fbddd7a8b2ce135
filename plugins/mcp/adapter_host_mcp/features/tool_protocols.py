"""What a tool may have in addition to its operation: a router, a budget and a selection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from adapter_host import Arguments, Result

if TYPE_CHECKING:
    from .tools import Tool


class ToolRouter(Protocol):
    """Finds the tool that a call of another tool names."""

    def redirect(self, arguments: Arguments) -> tuple[Tool, Arguments]:
        """Return the tool that the arguments name, and its arguments; raise `OperationError`."""

    def near_names(self, name: str) -> str:
        """Return the names of tools similar to an unknown one, for the end of an error."""


@dataclass(frozen=True, slots=True)
class ResultForm:
    """The form of a result, which depends on the revision of the client.

    With `allow_any_json` structured content may be any JSON, not only an object. With `allow_links` content may have
    links to resources. `result_meta` are the members that every result has.
    """

    allow_any_json: bool
    allow_links: bool
    result_meta: bytes = b""


class ResultBudget(Protocol):
    """Serializes the results of a tool that are larger than its budget."""

    @property
    def label(self) -> str | None:
        """The declared budget; None for the default."""

    async def members(self, result: Result, tool: Tool, form: ResultForm) -> tuple[bytes, str | None]:
        """Return the members of a result, and a message for a violation of the output schema."""


class ResultSelection(Protocol):
    """Chooses fields of the results of a tool, by an argument."""

    def describe(self) -> Mapping[str, Any]:
        """Return the fields with their tokens, for people."""

    def of_task(self, arguments: Arguments) -> Arguments:
        """Return the arguments of a call that its task needs to choose fields of its result."""

    def apply_to_task(self, result: Result, arguments: Arguments) -> Result:
        """Return the result of a task, with the fields that its call has chosen."""
