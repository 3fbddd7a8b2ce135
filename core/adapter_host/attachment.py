"""Where a host is served inside an application."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .building import clashes
from .errors import ProblemsError
from .listeners import Mount, mounts, set_prefixes
from .plan import Plan
from .switch import Entrance


@dataclass(frozen=True, slots=True)
class Attachment:
    """An application that serves the host's exposers below a prefix."""

    entrance: Entrance
    prefix: str

    def mounts(self, plans: Iterable[Plan]) -> list[Mount]:
        """The HTTP exposers of the plans, each below its namespace; raises `ProblemsError` when two would be one."""
        attached = mounts(plans)
        if found := clashes(attached, "in one application"):
            raise ProblemsError(found)
        set_prefixes(attached, self.prefix)
        return attached
