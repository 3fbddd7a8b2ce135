"""What a plugin author subclasses for a type of step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from adapter_host.capability.spec import StepSpec
from adapter_host.operation.operation import Call

from .context import BuildContext

StepSpecT = TypeVar("StepSpecT", bound=StepSpec)


class StepType(ABC, Generic[StepSpecT]):
    """Does the work of the steps of one type; one is made for each capability that has such a step.

    `__init__` touches neither network, files nor event loop. Of `context` the `namespace` is empty.
    """

    config_class: ClassVar[type[StepSpec]] = StepSpec
    takes_context: ClassVar[bool] = False
    """Whether a step is given the operation's inputs, and what each earlier step gave, by name, beside its `with`."""
    writes: ClassVar[bool] = True
    """Whether a step may change something outside: then it keeps its place among what changes something."""

    def __init__(self, context: BuildContext) -> None:
        self.context = context

    @abstractmethod
    def compile(self, spec: StepSpecT) -> Call | None:
        """The work of a step: a function of what it is given, by name; asked at build, and again for each `ref`.

        None when it cannot run, and `context.problem` was told why. The work raises `OperationError`.
        """

    async def start(self) -> None:
        """Open what the steps need: after the consumers, before the exposers."""

    async def stop(self) -> None:
        """Close what `start` opened; may run in another task."""

    def status(self) -> Mapping[str, Any]:
        """How it is set and what it has done, for whoever runs the host: plain data, without secrets."""
        return {}

    def adjust(self, changes: Mapping[str, Any]) -> None:
        """Run otherwise from now on, until a reload; all of the changes or none.

        Raises `ValueError`, which says which value is wrong and what would do.
        """
        if changes:
            raise ValueError(f"'{next(iter(changes))}' cannot be changed")
