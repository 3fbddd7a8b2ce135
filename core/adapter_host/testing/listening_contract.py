"""The contract tests of exposers that concern their ports, their connections, and reloads."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, Final
from unittest import SkipTest
from urllib.parse import urlsplit

from adapter_host import StartError

from .contract import Caller, ServerContract, contract_test, operation_test
from .running import Running

NAMES: Final = ("read", "write", "ping")
"""The operations that contract tests call."""

_TYPES: Final = ({"name": "id", "type": "integer", "required": True}, {"name": "note", "type": "string"})
_CONNECTIONS: Final = 8
_RELOADS: Final = 8
_ADDRESS: Final = "127.0.0.2"
_PAUSE: Final = 0.02


class ListeningContract(ServerContract, ABC):
    """The base of `ExposerContract`: what serves, what calls, and the tests of ports, connections and reloads.

    Set `listens` to False if the exposer has no address and port.
    """

    listens: ClassVar[bool] = True

    @abstractmethod
    def exposes(self, operations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the entry of `exposes` for `operations` (each with `name`, `description` and `call`)."""

    @abstractmethod
    def connect(self, url: str) -> AbstractAsyncContextManager[Caller]:
        """Connect a new client to `url` and yield a function that calls an operation with arguments.

        The function raises `CallFailedError`.
        """

    @asynccontextmanager
    async def open_idle_connection(self, url: str) -> AsyncIterator[None]:
        """Keep an idle connection open; override it to open a stream if the protocol has streams."""
        parts = urlsplit(url)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            yield
        finally:
            writer.transport.abort()

    @asynccontextmanager
    async def _served(self, **keys: Any) -> AsyncIterator[tuple[Running, str]]:
        """Serve `_document(**keys)`, and yield the host and the URL of the exposer."""
        async with self._build(self._document(**keys)) as host:
            yield Running(host), host.status()[0].url or ""

    async def probe(self, call: Caller, number: int = 1) -> None:
        """Check that a client is served."""
        result = await call("read", {"id": number})
        assert not self.calls_operations or result == {"id": number}

    @property
    def _namespace(self) -> str:
        """The namespace of the exposer."""
        namespace: str = self.exposes([])["namespace"]
        return namespace

    def _document(self, **keys: Any) -> dict[str, Any]:
        """Return a document with the exposer, which has more `keys`, and an API in memory."""
        consumed = [{"name": name, "inputParameters": list(_TYPES)} for name in NAMES]
        exposed = [{"name": name, "description": f"Calls {name}", "call": f"api.{name}"} for name in NAMES]
        return {
            "naftiko": "1.0.0-alpha2",
            "binds": [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}] if keys else [],
            "capability": {
                "consumes": [{"type": "fake", "namespace": "api", "operations": consumed}],
                "exposes": [{**self.exposes(exposed), **keys}],
            },
        }

    @contract_test
    async def test_settings_replace_the_port(self) -> None:
        """The port of the settings replaces that of the document."""
        self._require_port()
        port = free_port("127.0.0.1")
        async with self._listening(ports={self._namespace: port}) as url:
            assert urlsplit(url).port == port, f"the URL is {url}, although the settings say port {port}"

    @contract_test
    async def test_settings_replace_the_address(self) -> None:
        """The address of the settings replaces that of the document."""
        self._require_port()
        try:
            free_port(_ADDRESS)
        except OSError:
            raise SkipTest(f"this system has no address {_ADDRESS}") from None
        async with self._listening(address=_ADDRESS) as url:
            assert urlsplit(url).hostname == _ADDRESS, f"the URL is {url}, although the settings say {_ADDRESS}"

    @contract_test
    async def test_taken_port_is_a_start_error(self) -> None:
        """The start fails with a `StartError` that names the port, if the port is in use."""
        self._require_port()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            host = self._build(self._document(), ports={self._namespace: port})
            try:
                await host.start()
            except StartError as error:
                message = str(error)
            except OSError as error:
                raise AssertionError(f"a port in use is no StartError: {error!r}") from error
            else:
                await host.stop()
                raise AssertionError("the host starts although the port is in use")
        assert str(port) in message, f"the error does not name port {port}: {message}"
        assert host.status()[0].url is None, "the exposer has a URL after a failed start"

    @contract_test
    async def test_stop_closes_connections(self) -> None:
        """The stop closes connections of clients that have sent nothing."""
        self._require_port()
        async with self._build(self._document(), drain_timeout=0) as host:
            url = host.status()[0].url or ""
            parts = urlsplit(url)
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                # The exposer accepts connections in their order.
                async with self.connect(url) as call:
                    await self.probe(call)
                await host.drain()
                await host.stop()
                while await reader.read(65_536):
                    pass
            except ConnectionError:
                pass  # it is closed too
            finally:
                writer.transport.abort()

    @contract_test
    async def test_reload_keeps_clients(self) -> None:
        """No call of a connected client fails during reloads, and later calls reach the new document."""
        async with AsyncExitStack() as stack:
            served, url = await stack.enter_async_context(self._served())
            callers = [await stack.enter_async_context(self.connect(url)) for _ in range(_CONNECTIONS)]
            reloaded = asyncio.Event()

            async def keep_calling(number: int, call: Caller) -> None:
                while not reloaded.is_set():
                    await self.probe(call, number)

            async with asyncio.TaskGroup() as tasks:
                for number, call in enumerate(callers):
                    tasks.create_task(keep_calling(number, call))
                for _ in range(_RELOADS):
                    await served.host.reload(self._document())
                reloaded.set()
            await self._reload_between_calls(served, callers)

    async def _reload_between_calls(self, served: Running, callers: Sequence[Caller]) -> None:
        for number in range(2):
            await served.host.reload(self._document())
            for call in callers:
                await self.probe(call, number)
            calls = served.fake("api").calls if self.calls_operations else callers
            assert len(calls) == len(callers), f"{len(calls)} of {len(callers)} calls reached the new document"

    @contract_test
    async def test_reload_refuses_no_connection(self) -> None:
        """Clients that connect during reloads are served."""
        self._require_port()
        async with self._served() as (served, url):
            reloaded = asyncio.Event()

            async def keep_connecting(number: int) -> None:
                while not reloaded.is_set():
                    async with self.connect(url) as call:
                        await self.probe(call, number)

            async with asyncio.TaskGroup() as tasks:
                for number in range(2):
                    tasks.create_task(keep_connecting(number))
                for _ in range(_RELOADS):
                    await served.host.reload(self._document())
                reloaded.set()
            assert served.host.status()[0].url == url, "the exposer has another URL after reloads"

    @operation_test
    async def test_reload_completes_calls_in_flight(self) -> None:
        """A call in flight completes after the new document is served, within the drain timeout."""
        async with self._served() as (served, url), self.connect(url) as call, self.connect(url) as other:
            hold = served.fake("api").hold("read")
            task = asyncio.ensure_future(call("read", {"id": 7}))
            await hold.entered.wait()
            await served.host.reload(self._document())
            for number in range(_CONNECTIONS):
                assert await other("write", {"id": number}) == {"id": number}
                await asyncio.wait([task], timeout=_PAUSE)
            hold.release.set()
            assert await task == {"id": 7}

    @contract_test
    async def test_failed_reload_changes_nothing(self) -> None:
        """After the new document has failed to start, calls and new clients reach the old one."""
        failing = {"type": "fake", "namespace": "failing", "fails": True}
        document = self._document()
        document["capability"]["exposes"].append(failing)
        async with self._served() as (served, url), self.connect(url) as call:
            for number in range(2):
                try:
                    await served.host.reload(document)
                except StartError:
                    pass
                else:
                    raise AssertionError("the document of the failing exposer is served")
                await self.probe(call, number)
                async with self.connect(url) as other:
                    await self.probe(other, number)
            assert not self.calls_operations or len(served.fake("api").calls) == 4

    def _require_port(self) -> None:
        if not self.listens:
            raise SkipTest("the exposer has no port")

    @asynccontextmanager
    async def _listening(self, **settings: Any) -> AsyncIterator[str]:
        """Serve with settings, call an operation, and yield the URL."""
        async with self._build(self._document(), **settings) as host:
            url = host.status()[0].url or ""
            async with self.connect(url) as call:
                await self.probe(call)
                yield url


def free_port(address: str) -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as free:
        free.bind((address, 0))
        port: int = free.getsockname()[1]
        return port
