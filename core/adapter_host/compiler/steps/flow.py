"""Run the steps of an operation, independent ones concurrently."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from adapter_host.compiler.values.scope import Values
from adapter_host.errors import OperationError
from adapter_host.expressions.jsonpath import PathGetter
from adapter_host.operation.result import Result

Work = Callable[[Values], Awaitable[Result]]
"""The work of a step."""


@dataclass(frozen=True, slots=True)
class Step:
    """One compiled step: its work, the values that other steps read from its result, and the steps it waits for."""

    name: str
    work: Work
    extractors: Mapping[str, PathGetter]
    after: frozenset[str]

    async def run(self, values: dict[str, Any]) -> Result:
        """Run the step and add the extracted values to `values`; an error names the step."""
        try:
            result = await self.work(values)
            if self.extractors:
                data = result.data
                for name, find in self.extractors.items():
                    if (value := find(data)) is not None:
                        values[name] = value
            return result
        except OperationError as error:
            raise error.in_step(self.name) from error


Flow = Callable[[dict[str, Any]], Awaitable[list[Result]]]
"""Run steps and collect their values; return their results in order."""


def compile_flow(steps: Sequence[Step]) -> Flow:
    """Compile steps to a sequence if each waits for the one before, else to a graph of tasks."""
    if all(before.name in step.after for before, step in pairwise(steps)):
        return _sequence(steps)
    return _graph(steps)


def _sequence(steps: Sequence[Step]) -> Flow:
    async def run(values: dict[str, Any]) -> list[Result]:
        return [await step.run(values) for step in steps]

    return run


def _graph(steps: Sequence[Step]) -> Flow:
    async def run_after(tasks: Iterable[asyncio.Task[Result]], step: Step, values: dict[str, Any]) -> Result:
        for task in tasks:
            await task
        return await step.run(values)

    async def run(values: dict[str, Any]) -> list[Result]:
        tasks: dict[str, asyncio.Task[Result]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for step in steps:
                    before = [tasks[name] for name in step.after]
                    tasks[step.name] = group.create_task(run_after(before, step, values))
        except BaseExceptionGroup as failures:
            # The first failure is that of the operation; the other steps were cancelled because of it.
            first = failures.exceptions[0]
            raise first from first.__cause__
        return [tasks[step.name].result() for step in steps]

    return run
