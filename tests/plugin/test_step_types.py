"""Step types of plugins: arguments, order and life cycle."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import (
    ArgumentError,
    Arguments,
    BuildContext,
    Call,
    Host,
    PluginError,
    Plugins,
    Problem,
    ProblemsError,
    RegisterStepType,
    Result,
    Settings,
    StepSpec,
    StepType,
    hookimpl,
)
from adapter_host.testing import Hold, running
from tests.support.adapters import document, plain, plain_plugins


class NoteSpec(StepSpec):
    """A step of `type: note` or `type: see`."""

    words: int = 1


class Note(StepType[NoteSpec]):
    """Returns its arguments, and records its life cycle."""

    config_class = NoteSpec
    events: ClassVar[list[str]] = []
    fails: ClassVar[set[str]] = set()

    def __init__(self, context: BuildContext) -> None:
        super().__init__(context)
        self.factor = 1
        self.note("made")

    def note(self, event: str) -> None:
        self.events.append(f"{type(self).__name__} {event}")
        if event in self.fails:
            raise RuntimeError(event)

    def compile(self, spec: NoteSpec) -> Call | None:
        if spec.words < 0:
            self.context.problem("words are counted from 0", spec, "words")
            return None

        async def work(arguments: Arguments) -> Result:
            if arguments.get("bad"):
                raise ArgumentError("bad", "that is bad")
            return Result(data={**arguments, "words": spec.words * self.factor})

        return work

    async def start(self) -> None:
        self.note("started")

    async def stop(self) -> None:
        self.note("stopped")

    def status(self) -> Mapping[str, Any]:
        return {"factor": self.factor}

    def adjust(self, changes: Mapping[str, Any]) -> None:
        if not isinstance(changes.get("factor"), int):
            raise ValueError("'factor' must be a whole number")
        self.factor = changes["factor"]


class See(Note):
    """Receives the complete context, and has no side effects."""

    takes_context = True
    writes = False


class Bare(StepType[StepSpec]):
    """Overrides nothing of the base class."""

    def compile(self, spec: StepSpec) -> Call | None:
        return None


class Brings:
    """A plugin with these step types."""

    @hookimpl
    def register_step_types(self, register: RegisterStepType) -> None:
        register("note", Note)
        register("see", See)
        register("bare", Bare)


@pytest.fixture(autouse=True)
def clean() -> None:
    Note.events.clear()
    Note.fails.clear()


def plugins() -> Plugins:
    return plain_plugins(noting=Brings())


API = {
    "type": "fake",
    "namespace": "api",
    "operations": [{"name": "ship", "inputParameters": [{"name": "imo", "in": "path", "required": True}]}],
}
INPUTS = [
    {"name": "imo", "type": "string"},
    {"name": "deck", "type": "integer", "required": False},
    {"name": "flag", "value": "NO"},
]


def step(type_name: str = "note", name: str = "a", *, with_: Any = None, **keys: Any) -> dict[str, Any]:
    """Return a step; `with_` is its `with`."""
    return {"type": type_name, "name": name, **({"with": with_} if with_ else {}), **keys}


def capability(*steps: dict[str, Any], **operation: Any) -> dict[str, Any]:
    exposed = plain({"name": "go", "inputParameters": INPUTS, "steps": list(steps), **operation})
    binds = [{"namespace": "deep", "keys": {"KEY": "KEY"}}]
    return document(exposed, consumes=[API], binds=binds)


async def given(*steps: dict[str, Any], arguments: Arguments, **operation: Any) -> Any:
    settings = {"environment": {"KEY": "hush"}}
    async with running(capability(*steps, **operation), plugins=plugins(), **settings) as served:
        served.fake("api").responses["ship"] = lambda called: {
            "imo": called["imo"],
            "crew": [{"name": "Aiko"}],
            "x": None,
        }
        return (await served.host.call("front.go", arguments)).data


CALL = {"type": "call", "name": "get-ship", "call": "api.ship", "with": {"imo": "{{imo}}"}}


async def test_step_receives_its_with_values() -> None:
    values = {
        "number": 7,
        "list": ["{{imo}}", 1],
        "typed": "{{deck}}",
        "text": "deck {{deck}} of {{get-ship.imo}}",
        "path": "$.get-ship.crew[0]",
        "qualified": "front.imo",
        "deck": "deck",
        "constant": "{{flag}}",
        "secret": "{{deep.KEY}}",
        "missing": "$.get-ship.none",
        "plain": "imo",
    }
    result = await given(CALL, step(with_=values), arguments={"imo": "i", "deck": 3})
    assert result == {
        "number": 7,
        "list": ["i", 1],
        "typed": 3,
        "text": "deck 3 of i",
        "path": {"name": "Aiko"},
        "qualified": "i",
        "deck": 3,
        "constant": "NO",
        "secret": "hush",
        "plain": "imo",
        "words": 1,
    }


async def test_context_has_inputs_earlier_steps_and_with() -> None:
    steps = (CALL, step(name="one", words=2), step("see", "two", with_={"imo": "{{imo}}!", "deck": "{{deck}}"}))
    result = await given(*steps, arguments={"imo": "i"}, **{"with": {"given": "{{imo}}?"}})
    assert result == {
        "imo": "i!",
        "flag": "NO",
        "given": "i?",
        "get-ship": {"imo": "i", "crew": [{"name": "Aiko"}], "x": None},
        "one": {"words": 2},
        "words": 1,
    }


async def test_input_in_a_context_is_used() -> None:
    warned = Host(capability(step("see")), plugins=plugins()).warnings
    assert warned == ()
    warned = Host(capability(step("note")), plugins=plugins()).warnings
    assert [problem.code for problem in warned] == ["idle-input"] * 2


async def test_step_result_is_used_by_later_steps() -> None:
    second = step("note", "b", with_={"sum": "$.a.words", "text": "{{a.words}}"})
    assert await given(step(words=4), second, arguments={"imo": "i"}) == {"sum": 4, "text": 4, "words": 1}


async def test_failure_names_the_step() -> None:
    with pytest.raises(ArgumentError, match="step 'a': that is bad") as caught:
        await given(step(with_={"bad": True}), arguments={"imo": "i"})
    assert caught.value.step == "a"


class Slow(Note):
    """Waits for a signal, and returns whether the ship was called before."""

    limiter: ClassVar[asyncio.Event]
    hold: ClassVar[Hold]

    def compile(self, spec: NoteSpec) -> Call:
        async def work(arguments: Arguments) -> Result:
            await self.limiter.wait()
            return Result(data=self.hold.entered.is_set())

        return work


class SlowSee(Slow):
    """The same without side effects."""

    writes = False


@pytest.mark.parametrize("slow", [Slow, SlowSee])
async def test_writing_step_keeps_its_order(slow: type[Slow]) -> None:
    steps, mappings = (step("slow"), CALL), [{"targetName": "before", "value": "$.a"}]
    document = capability(*steps, mappings=mappings)
    async with running(document, plugins=plain_plugins(slow=_registering("slow", slow))) as served:
        Slow.limiter, Slow.hold = asyncio.Event(), served.fake("api").hold("ship")
        task = asyncio.create_task(served.host.call("front.go", {"imo": "i"}))
        if slow.writes:
            for _ in range(20):  # as long as the call would take to come in, if it did not wait
                await asyncio.sleep(0)
        else:
            await Slow.hold.entered.wait()
        Slow.limiter.set()
        Slow.hold.release.set()
        assert (await task).data == {"before": not slow.writes}


def _registering(name: str, step_type: type[StepType[Any]]) -> object:
    class Registering:
        @hookimpl
        def register_step_types(self, register: RegisterStepType) -> None:
            register(name, step_type)

    return Registering()


async def test_one_instance_per_capability() -> None:
    first = capability(step(), step(name="b"), step("see", "c"))
    second = document(plain({"name": "go", "steps": [step()]}, namespace="other"))
    third = document(plain({"name": "go", "outputParameters": [{"value": "x"}]}, namespace="third"))
    host = Host(first, second, third, plugins=plugins(), settings=Settings(ports={"front": 0, "other": 0, "third": 0}))
    assert Note.events == ["Note made", "See made", "Note made"]
    assert {name: len(instances) for name, instances in host.step_types.items()} == {"note": 2, "see": 1}
    Note.events.clear()
    async with host:
        assert Note.events == ["Note started", "See started", "Note started"]
        Note.events.clear()
        old = host.step_types["note"]
        await host.reload()
        assert Note.events[:6] == ["Note made", "See made", "Note made", "Note started", "See started", "Note started"]
        assert not set(map(id, old)) & set(map(id, host.step_types["note"]))
    assert Note.events[6:].count("Note stopped") == 4


async def test_failed_start_prevents_the_host_from_starting() -> None:
    Note.fails.add("started")
    host = Host(capability(step("see"), step(name="b")), plugins=plugins())
    with pytest.raises(RuntimeError, match="started"):
        await host.start()
    assert Note.events[-2:] == ["See started", "See stopped"]


async def test_status_and_adjust_through_the_host() -> None:
    async with running(capability(step()), plugins=plugins()) as served:
        (note,) = served.host.step_types["note"]
        note.adjust({"factor": 3})
        assert note.status() == {"factor": 3}
        assert (await served.host.call("front.go", {"imo": "i"})).data == {"words": 3}
        with pytest.raises(ValueError, match="'factor' must be a whole number"):
            note.adjust({"factor": "x"})


def test_defaults_of_status_and_adjust() -> None:
    bare = Bare(Host(capability(step()), plugins=plugins()).step_types["note"][0].context)
    assert bare.status() == {}
    bare.adjust({})
    with pytest.raises(ValueError, match="'x' cannot be changed"):
        bare.adjust({"x": 1})


def problems(*steps: dict[str, Any]) -> list[Problem]:
    with pytest.raises(ProblemsError) as caught:
        Host(capability(*steps), plugins=plugins())
    return [problem for problem in caught.value.problems if not problem.warning]


@pytest.mark.parametrize(
    ("invalid", "code", "key"),
    [
        (step(words=-1), "invalid", ".words"),
        (step(words="many"), "type", ".words"),
        (step("nite"), "unknown-type", ".type"),
        (step(with_={"x": "$.a"}), "unknown-step", ".with.x"),
    ],
    ids=["value", "type", "unknown type", "own result"],
)
def test_problems_have_their_position(
    invalid: dict[str, Any], code: str, key: str, snapshot: SnapshotAssertion
) -> None:
    (problem,) = problems(invalid)
    assert problem.code == code
    assert problem.message.startswith(f"capability.exposes.0.operations.0.steps.0{key}: ")
    assert problem.message == snapshot


@pytest.mark.parametrize("type_name", [5, None, ["note"], {"a": 1}])
def test_type_must_be_text(type_name: Any) -> None:
    (problem,) = problems({"type": type_name, "name": "a"})
    assert problem.code == "unknown-type"
    assert problem.message.startswith("capability.exposes.0.operations.0.steps.0.type: ")


def test_unknown_keys_are_warnings() -> None:
    host = Host(capability(step("see", word=1)), plugins=plugins())
    (warning,) = host.warnings
    assert warning.code == "unknown-key"
    assert ".steps.0.word: unknown key 'word'" in warning.message


def test_constructor_error_is_a_plugin_error() -> None:
    Note.fails.add("made")
    with pytest.raises(PluginError, match=r"plugin 'noting': cannot build steps of type 'note': RuntimeError: made"):
        Host(capability(step()), plugins=plugins())


def test_capability_model_keeps_its_steps() -> None:
    host = Host(capability(step("see", words=2)), plugins=plugins())
    again = Host(host.plans[0].loaded.capability, plugins=plugins())
    assert again.plans[0].loaded.capability.exposes == host.plans[0].loaded.capability.exposes
