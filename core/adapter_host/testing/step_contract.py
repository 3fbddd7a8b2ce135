"""The contract tests of step types."""

from __future__ import annotations

import asyncio
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import orjson

from adapter_host import Host, ProblemsError, StepType

from .contract import Contract, contract_test, error_of, remaining_tasks

_CONCURRENT_CALLS: Final = 8
_UNKNOWN: Final = "a-setting-that-nobody-declared"


@dataclass(frozen=True, slots=True)
class StepExample:
    """A step as in a document (without `name`), the arguments of the operation, and the data of the step's result.

    The `with` of the step can refer to the arguments: `{x: "{{x}}"}`.
    """

    step: Mapping[str, Any]
    arguments: Mapping[str, Any]
    data: Any


class StepTypeContract(Contract, ABC):
    """The tests that every step type must pass; subclass it in a test module, with some examples.

    `invalid` are steps with a mistake that `compile` reports.
    """

    examples: ClassVar[Sequence[StepExample]] = ()
    invalid: ClassVar[Sequence[Mapping[str, Any]]] = ()

    @classmethod
    def pytest_generate_tests(cls, metafunc: Any) -> None:
        """Parametrize tests by the examples and the invalid steps."""
        for name, cases in (("example", cls.examples), ("invalid_step", cls.invalid)):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, list(cases), ids=[str(number) for number in range(len(cases))])

    def _document(self, step: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
        exposed = {
            "name": "run",
            "inputParameters": [{"name": name} for name in arguments],
            "steps": [{"name": "tested", **step}],
            "mappings": [{"targetName": "result", "value": "$.tested"}],
            "outputParameters": [{"name": "result"}],
        }
        front = {"type": "fake", "namespace": "front", "operations": [exposed]}
        return {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [front]}}

    def _built(self, example: StepExample) -> Host:
        return self._build(self._document(example.step, example.arguments))

    def _step_type(self, host: Host, example: StepExample) -> StepType[Any]:
        (step_type,) = host.step_types[example.step["type"]]
        return step_type

    def test_examples_exist(self) -> None:
        """The contract has examples."""
        assert self.examples, "'examples' is empty; add a StepExample"

    @contract_test
    async def test_building_has_no_side_effects(self, example: StepExample) -> None:
        """A step is compiled without an event loop, and without problems."""
        host = await asyncio.to_thread(self._built, example)
        assert [str(warning) for warning in host.warnings] == []

    @contract_test
    async def test_steps_return_results(self, example: StepExample) -> None:
        """A step returns the data of the example, also the second time."""
        async with self._built(example) as host:
            for _ in range(2):
                assert (await host.call("front.run", example.arguments)).data == {"result": example.data}

    @contract_test
    async def test_concurrent_calls_are_isolated(self) -> None:
        """Concurrent calls return their own results."""
        for example in self.examples:
            async with self._built(example) as host:
                calls = (host.call("front.run", example.arguments) for _ in range(_CONCURRENT_CALLS))
                results = await asyncio.gather(*calls)
                assert [result.data for result in results] == [{"result": example.data}] * _CONCURRENT_CALLS

    def test_invalid_steps_are_problems(self, invalid_step: Mapping[str, Any]) -> None:
        """A step with a mistake is a problem of the document, at the step."""
        document = self._document(invalid_step, {})
        error = error_of(lambda: self._build(document), ProblemsError)
        assert error is not None, f"the step was accepted: {invalid_step}"
        places = [problem.message.partition(": ")[0] for problem in error.problems if not problem.warning]
        assert any(".steps.0" in place for place in places), f"no problem is at the step: {error}"

    @contract_test
    async def test_restart(self) -> None:
        """A stopped host can be started again, and no task is running after the stop."""
        for example in self.examples[:1]:
            host = self._built(example)
            await self._step_type(host, example).stop()
            for _ in range(2):
                async with host:
                    assert (await host.call("front.run", example.arguments)).data == {"result": example.data}
            await self._step_type(host, example).stop()
        assert await remaining_tasks() == []

    @contract_test
    async def test_two_hosts_are_isolated(self) -> None:
        """Two hosts in one process are separate, and one continues after the other stops."""
        for example in self.examples[:1]:
            async with self._built(example) as one:
                async with self._built(example) as other:
                    assert (await other.call("front.run", example.arguments)).data == {"result": example.data}
                assert (await one.call("front.run", example.arguments)).data == {"result": example.data}

    @contract_test
    async def test_status_is_plain_data(self) -> None:
        """`status` returns plain data, and `adjust` refuses an unknown setting by `ValueError`."""
        for example in self.examples[:1]:
            async with self._built(example) as host:
                step_type = self._step_type(host, example)
                before = orjson.dumps(dict(step_type.status()))
                error = error_of(lambda adjust=step_type.adjust: adjust({_UNKNOWN: 1}), ValueError)  # type: ignore[misc]
                assert error is not None, "'adjust' accepted an unknown setting"
                assert orjson.dumps(dict(step_type.status())) == before
