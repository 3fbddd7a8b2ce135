"""Base class of step types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from adapter_host.capability.step_specs import StepSpec
from adapter_host.operation.operation import Call

from .context import BuildContext

StepSpecT = TypeVar("StepSpecT", bound=StepSpec)


class StepType(ABC, Generic[StepSpecT]):
    """Implements the steps of one type; constructed once for each capability with such a step.

    `__init__` must not use the network, files or the event loop. The `namespace` of `context` is empty.
    """

    config_class: ClassVar[type[StepSpec]] = StepSpec
    takes_context: ClassVar[bool] = False
    """Whether a step receives, in addition to its `with`, the inputs and the results of earlier steps by name."""
    writes: ClassVar[bool] = True
    """Whether a step may have side effects: such steps keep their order."""

    def __init__(self, context: BuildContext) -> None:
        self.context = context

    @abstractmethod
    def compile(self, spec: StepSpecT) -> Call | None:
        """Return the work of a step, a function of its arguments; called at build, once for each `ref`.

        Return None when the step cannot run, after reporting it with `context.problem`. The work raises
        `OperationError`.
        """

    async def start(self) -> None:
        """Open the resources of the steps: after the consumers, before the exposers."""

    async def stop(self) -> None:
        """Close the resources that `start` opened; may run in another task."""

    def status(self) -> Mapping[str, Any]:
        """Return settings and counters for operators: plain data, without secrets."""
        return {}

    def adjust(self, changes: Mapping[str, Any]) -> None:
        """Change settings until the next reload, all or none.

        Raise `ValueError` with the invalid value and the valid ones.
        """
        if changes:
            raise ValueError(f"'{next(iter(changes))}' cannot be changed")
