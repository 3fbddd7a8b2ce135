"""The contracts of HTTP exposers, bind sources, wrappers and step types: each mistake fails exactly its test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, ClassVar

import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler

from adapter_host import (
    Arguments,
    BindError,
    BindSource,
    BuildContext,
    Call,
    Operation,
    OperationError,
    Operations,
    Plugins,
    RefusedError,
    Result,
    StepSpec,
    StepType,
    error_problem,
    hookimpl,
    problem_response,
)
from adapter_host.testing import (
    BindSourceContract,
    HttpExposerContract,
    StepExample,
    StepTypeContract,
    WrapperContract,
)
from tests.support.adapters import PlainConfig, PlainExposer
from tests.support.contract_runner import BROKEN_TIMEOUT, GUIDE, broken, defined_tests, failed_tests, ignore_leaks

pytestmark = pytest.mark.early

# HTTP exposers


class Plain(PlainExposer):
    """An exposer that passes its contract."""

    def __init__(self, config: PlainConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if len({operation.name for operation in operations.values()}) < len(operations):
            context.problem("two operations have one name", config, "operations", code="duplicate-name")

    def build_app(self) -> web.Application:
        app = web.Application()
        self.by_name = {operation.name: operation for operation in self.operations.values()}
        app.router.add_post("/{name}", self.respond)
        return app

    async def respond(self, request: web.Request, name: str | None = None) -> web.Response:
        try:
            arguments = orjson.loads(await request.read())
            if not isinstance(arguments, dict):
                return problem_response(400, "the body must be an object")
            result = await self.by_name[name or request.match_info["name"]].call(arguments)
        except orjson.JSONDecodeError:
            return problem_response(400, "the body must be JSON")
        except OperationError as error:
            return error_problem(error)
        except web.HTTPException:
            raise
        except Exception:
            return problem_response(500, "unexpected error")
        return web.Response(status=result.status, body=result.body, content_type=result.media_type)


class Rooted(Plain):
    async def respond(self, request: web.Request, name: str | None = None) -> web.Response:
        if request.path.startswith("/below/"):
            return problem_response(404, "not found")
        return await super().respond(request, name)


class Namesake(Plain):
    async def respond(self, request: web.Request, name: str | None = None) -> web.Response:
        if request.path.startswith("/other/"):
            return problem_response(404, "not found")
        return await super().respond(request, name)


class DirectOnly(Plain):
    def build_app(self) -> web.Application:
        super().build_app()
        return web.Application()

    def direct_handler(self, request: web.Request) -> Handler | None:
        name = request.path.rpartition("/")[2]
        return None if name not in self.by_name else partial(self.respond, name=name)


class Welcoming(Plain):
    def build_app(self) -> web.Application:
        app = super().build_app()

        async def welcome(_: web.Request) -> web.Response:
            return web.Response(text="welcome")

        app.router.add_get("/{tail:.*}", welcome)
        return app


class Trusting(Plain):
    async def respond(self, request: web.Request, name: str | None = None) -> web.Response:
        try:
            orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            return problem_response(500, "unexpected error")
        return await super().respond(request, name)


class Describing(Plain):
    def openapi(self, url: str) -> Mapping[str, Any] | None:
        return {"openapi": "3.1.0", "servers": {url}}


class Reusing(Plain):
    app: web.Application | None = None

    def build_app(self) -> web.Application:
        if self.app is None or self.app.frozen:
            self.app = super().build_app()
        return self.app


class Suspicious(Plain):
    async def respond(self, request: web.Request, name: str | None = None) -> web.Response:
        if "Authorization" in request.headers:
            return problem_response(401, "no credentials")
        return await super().respond(request, name)


HTTP_EXPOSERS: Mapping[str, type[Plain]] = {
    "test_middlewares_see_the_calls": DirectOnly,
    "test_correct_credentials_are_accepted": Suspicious,
    "test_attached_below_a_prefix": Rooted,
    "test_shared_port": Namesake,
    "test_unknown_paths_are_not_found": Welcoming,
    "test_malformed_requests_are_refused": Trusting,
    "test_openapi_is_plain_data": Describing,
    "test_application_is_new_at_each_start": Reusing,
}


class PlainContract(HttpExposerContract):
    adapter: ClassVar[type[Plain]] = Plain
    malformed = (("POST", "/read", b"{", 400), ("POST", "/read", b"[7]", 400))

    def plugins(self) -> Plugins:
        registering = hookimpl(lambda register: register("plain", self.adapter))
        return Plugins({"tested": SimpleNamespace(register_exposers=registering)})

    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        return {"type": "plain", "namespace": "front", "port": 0, "operations": list(operations)}

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[Any]]]:
        async with ClientSession() as session:

            async def call(operation: str, arguments: Mapping[str, Any]) -> Any:
                async with session.post(f"{url}/{operation}", json=arguments) as response:
                    return orjson.loads(await self.read(response))

            yield call


def test_good_http_exposer_passes() -> None:
    assert failed_tests(PlainContract) == set()


@ignore_leaks
@pytest.mark.parametrize("name", list(HTTP_EXPOSERS))
def test_broken_http_exposer_fails_exactly_one_test(name: str) -> None:
    contract = broken(PlainContract, adapter=HTTP_EXPOSERS[name])
    # An attached exposer has no direct handler either.
    others = {"test_attached_below_a_prefix"} if HTTP_EXPOSERS[name] is DirectOnly else set()
    assert failed_tests(contract, {name: BROKEN_TIMEOUT}) == {name, *others}


@pytest.mark.parametrize("kind", [400, None])
def test_mistyped_path_is_no_malformed_request(kind: object) -> None:
    contract = broken(PlainContract, malformed=(("POST", "/raed/it", b"{", kind),))
    assert failed_tests(contract) == {"test_malformed_requests_are_refused"}


# Bind sources


class Folder(BindSource):
    """Secrets in a folder of files: it passes its contract."""

    def __init__(self, location: str, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(location, folder, environment)
        self.path = Path(location.partition("://")[2])
        if not self.path.is_absolute():
            raise BindError("the folder must be absolute")
        self.read: list[str] = []

    def value(self, key: str) -> str | None:
        file = self.path / key
        if not self.path.exists():
            raise BindError("cannot read the folder")
        if not file.exists():
            return None
        self.read.append(str(file))
        return file.read_text(encoding="utf-8")

    def hint(self, key: str) -> str:
        return f"create the file '{key}'"

    @property
    def files(self) -> Sequence[str]:
        return self.read


class Stripping(Folder):
    def value(self, key: str) -> str | None:
        found = super().value(key)
        return found and found.strip()


class Revealing(Folder):
    def hint(self, key: str) -> str:
        return f"the folder has {[file.read_text() for file in self.path.iterdir()]}, add '{key}'"


class Printing(Folder):
    def __repr__(self) -> str:
        return f"Printing({[super(Printing, self).value(file.name) for file in self.path.iterdir()]})"


class Hasty(Folder):
    def __init__(self, location: str, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(location, folder, environment)
        os.listdir(self.path)


class Lenient(Folder):
    def __init__(self, location: str, folder: Path, environment: Mapping[str, str]) -> None:
        BindSource.__init__(self, location, folder, environment)
        self.path, self.read = Path(location.partition("://")[2]), []


class Imagining(Folder):
    @property
    def files(self) -> Sequence[str]:
        return [*self.read, str(self.path / "no-such-file")]


class Inventing(Folder):
    def value(self, key: str) -> str | None:
        found = super().value(key)
        return "changeme" if found is None and "SECRET" in self.environment.get("MODE", "SECRET") else found


class Remembering(Folder):
    seen: ClassVar[dict[str, str]] = {}

    def value(self, key: str) -> str | None:
        found = super().value(key)
        return found if found is None else self.seen.setdefault(key, found)


BIND_SOURCES: Mapping[str, tuple[type[Folder], set[str]]] = {
    "test_secrets_are_read": (Stripping, set()),
    "test_missing_keys_have_a_hint": (Revealing, set()),
    "test_representation_has_no_secret": (Printing, set()),
    "test_construction_reads_nothing": (Hasty, set()),
    "test_invalid_locations_are_refused": (Lenient, set()),
    "test_files_exist": (Imagining, set()),
    # A key that exists nowhere is both: it has a value, and so the host starts.
    "test_missing_secrets_prevent_the_start": (Inventing, {"test_missing_keys_have_a_hint"}),
    "test_later_secrets_are_read": (Remembering, set()),
}


class FolderContract(BindSourceContract):
    adapter: ClassVar[type[Folder]] = Folder
    invalid_locations = ("folder://relative",)

    def plugins(self) -> Plugins:
        registering = hookimpl(lambda register: register("folder", self.adapter))
        return Plugins({"tested": SimpleNamespace(register_bind_sources=registering)})

    @contextmanager
    def store(self, secrets: Mapping[str, str]) -> Iterator[str]:
        with TemporaryDirectory() as name:
            self.path = Path(name) / "secrets"
            self.path.mkdir()
            for key, secret in secrets.items():
                (self.path / key).write_text(secret, encoding="utf-8")
            yield f"folder://{self.path}"

    def damage(self) -> None:
        for file in self.path.iterdir():
            file.unlink()
        self.path.rmdir()


def test_good_bind_source_passes() -> None:
    assert failed_tests(FolderContract) == set()


@pytest.mark.parametrize("name", list(BIND_SOURCES))
def test_broken_bind_source_fails_its_test(name: str) -> None:
    Remembering.seen.clear()
    source, others = BIND_SOURCES[name]
    assert failed_tests(broken(FolderContract, adapter=source)) == {name, *others}


# Wrappers


def observing(call: Call) -> Call:
    async def observed(arguments: Arguments) -> Result:
        return await call(arguments)

    return observed


def replacing(call: Call) -> Call:
    async def replaced(arguments: Arguments) -> Result:
        result = await call(arguments)
        return result if result.stream is not None else Result(data=result.data, headers=result.headers)

    return replaced


def modifying(call: Call) -> Call:
    async def modified(arguments: Any) -> Result:
        result = await call(arguments)
        arguments.pop("id", None)
        return result

    return modified


def masking(call: Call) -> Call:
    async def masked(arguments: Arguments) -> Result:
        try:
            return await call(arguments)
        except OperationError:
            raise RefusedError("no") from None

    return masked


def retrying(call: Call) -> Call:
    async def retried(arguments: Arguments) -> Result:
        try:
            return await call(arguments)
        except OperationError:
            return await call(arguments)

    return retried


def shielding(call: Call) -> Call:
    async def shielded(arguments: Arguments) -> Result:
        return await asyncio.shield(call(arguments))

    return shielded


def serial(call: Call) -> Call:
    lock = asyncio.Lock()

    async def one_at_a_time(arguments: Arguments) -> Result:
        async with lock:
            return await call(arguments)

    return one_at_a_time


def dropping(call: Call) -> Call:
    async def dropped(arguments: Arguments) -> Result:
        result = await call(arguments)
        return result if result.stream is None else Result(data=None)

    return dropped


def leaking(call: Call) -> Call:
    async def leaked(arguments: Arguments) -> Result:
        leaked.task = asyncio.ensure_future(asyncio.Event().wait())  # type: ignore[attr-defined]
        return await call(arguments)

    return leaked


WRAPPERS: Mapping[str, Callable[[Call], Call]] = {
    "test_results_are_unchanged": replacing,
    "test_errors_are_unchanged": masking,
    "test_calls_are_made_once": retrying,
    "test_calls_can_be_cancelled": shielding,
    "test_calls_run_at_the_same_time": serial,
    "test_streams_are_passed_on": dropping,
    "test_stop_leaves_no_tasks": leaking,
}


class ObservingContract(WrapperContract):
    wrapper: ClassVar[Any] = staticmethod(observing)

    def plugins(self) -> Plugins:
        def operation_wrapper(operation: Operation) -> Callable[[Call], Call]:
            return lambda call: self.wrapper(call)

        return Plugins({"tested": SimpleNamespace(operation_wrapper=hookimpl(operation_wrapper))})


def test_good_wrapper_passes() -> None:
    assert failed_tests(ObservingContract) == set()


@ignore_leaks
@pytest.mark.parametrize("name", list(WRAPPERS))
def test_broken_wrapper_fails_exactly_one_test(name: str) -> None:
    contract = broken(ObservingContract, wrapper=staticmethod(WRAPPERS[name]))
    assert failed_tests(contract, {name: BROKEN_TIMEOUT}) == {name}


# Step types


class SumSpec(StepSpec):
    digits: int = 0


class Sum(StepType[SumSpec]):
    """Adds the numbers in `with`: it passes its contract."""

    config_class = SumSpec
    writes = False

    def compile(self, spec: SumSpec) -> Call | None:
        if spec.digits < 0:
            self.context.problem("'digits' must not be negative", spec, "digits")
            return None

        async def add(values: Arguments) -> Result:
            return await self.work(values)

        return add

    async def work(self, values: Arguments) -> Result:
        return Result(data=sum(values.values()))


class Looping(Sum):
    def __init__(self, context: BuildContext) -> None:
        super().__init__(context)
        self.loop = asyncio.get_running_loop()


class Growing(Sum):
    total = 0

    async def work(self, values: Arguments) -> Result:
        result = await super().work(values)
        self.total += 1
        return result if self.total != 2 else Result(data=-1)


class Mixing(Sum):
    running = 0

    async def work(self, values: Arguments) -> Result:
        self.running += 1
        await asyncio.sleep(0)
        crowded = self.running > 1
        self.running -= 1
        return Result(data=-1) if crowded else await super().work(values)


class Accepting(Sum):
    def compile(self, spec: SumSpec) -> Call | None:
        return super().compile(spec.model_copy(update={"digits": 0}))


class Once(Sum):
    stopped = False

    async def stop(self) -> None:
        self.stopped = True

    async def work(self, values: Arguments) -> Result:
        return Result(data=-1) if self.stopped else await super().work(values)


class Shared(Sum):
    open: ClassVar[set[str]] = set()

    async def start(self) -> None:
        self.open.add("it")

    async def stop(self) -> None:
        self.open.discard("it")

    async def work(self, values: Arguments) -> Result:
        return await super().work(values) if self.open else Result(data=-1)


class Opaque(Sum):
    def status(self) -> Mapping[str, Any]:
        return {"work": self.work}


STEP_TYPES: Mapping[str, type[Sum]] = {
    "test_building_has_no_side_effects": Looping,
    "test_steps_return_results": Growing,
    "test_concurrent_calls_are_isolated": Mixing,
    "test_invalid_steps_are_problems": Accepting,
    "test_restart": Once,
    "test_two_hosts_are_isolated": Shared,
    "test_status_is_plain_data": Opaque,
}


class SumContract(StepTypeContract):
    adapter: ClassVar[type[Sum]] = Sum
    examples = (
        StepExample({"type": "sum", "with": {"a": 1, "b": "{{x}}"}}, {"x": 2}, 3),
        StepExample({"type": "sum", "with": {"a": 1}}, {}, 1),
    )
    invalid = ({"type": "sum", "digits": -1}, {"type": "sum", "digits": "many"})

    def plugins(self) -> Plugins:
        registering = hookimpl(lambda register: register("sum", self.adapter))
        return Plugins({"tested": SimpleNamespace(register_step_types=registering)})


def test_good_step_type_passes() -> None:
    assert failed_tests(SumContract) == set()


@ignore_leaks
@pytest.mark.parametrize("name", list(STEP_TYPES))
def test_broken_step_type_fails_its_test(name: str) -> None:
    contract = broken(SumContract, adapter=STEP_TYPES[name])
    assert name in failed_tests(contract, {name: BROKEN_TIMEOUT})


@pytest.mark.parametrize("contract", [HttpExposerContract, BindSourceContract, WrapperContract, StepTypeContract])
def test_guide_lists_every_test(contract: type) -> None:
    assert [name for name in defined_tests(contract) if f"`{name}`" not in GUIDE.read_text()] == []
