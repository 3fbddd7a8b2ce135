"""The server of an exposer: the handlers of its methods and of the services of every server, and its connections."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final

from adapter_host import TRACE_CONTEXT, BuildContext, Operation, Principal, Refusal, note_call

from .calls import Call, StatusError, run
from .config import GrpcConfig
from .conversion import Converter
from .descriptors import file_descriptor, load
from .http2 import Stream
from .methods import Codec, Handler, OperationMethod
from .model import Method, ProtoFile
from .services import REFLECTIONS, Health, Reflection, add_files
from .status import Code, code_of_status

_HEALTH: Final = "grpc.health.v1.Health"
_TRACE_KEYS: Final = ("traceparent", "tracestate", "baggage")


class GrpcServer:
    """Serves the calls of clients."""

    def __init__(
        self, config: GrpcConfig, file: ProtoFile, methods: Sequence[tuple[Method, Operation]], context: BuildContext
    ) -> None:
        self._context = context
        self._settings = context.settings
        service = f"{file.package}.{file.service}"
        self._health = Health(service)
        self._public: dict[str, Handler] = {
            f"/{_HEALTH}/Check": self._health.check,
            f"/{_HEALTH}/Watch": self._health.watch,
        }
        self._handlers: dict[str, Handler] = {}
        pool = load(file_descriptor(file))
        add_files(pool)
        known: dict[int, Converter] = {}
        for method, operation in methods:
            request = Codec(method.request, file.package, pool, known)
            response = Codec(method.response, file.package, pool, known)
            handler = OperationMethod(operation, method, request, response, context.settings.response_limit)
            self._handlers[f"/{service}/{method.name}"] = handler
        if config.reflection:
            names = (service, _HEALTH, *(f"{package}.ServerReflection" for package in REFLECTIONS))
            reflection = Reflection(names, pool)
            for package in REFLECTIONS:
                self._handlers[f"/{package}.ServerReflection/ServerReflectionInfo"] = reflection.describe

    def end_watches(self) -> None:
        """End the calls that watch the health."""
        self._health.end()

    async def serve(self, stream: Stream) -> None:
        """Serve one call."""
        await run(stream, self._settings, self._serve, self._note_rejected)

    def _note_rejected(self, call: Call, status: int | str) -> None:
        """Write the line of a request that is not served to the access log."""
        with self._context.call("grpc", whole_request=True, client_address=call.peer, request_id=call.request_id):
            note_call(status=status)

    async def _serve(self, call: Call) -> None:
        if (public := self._public.get(call.path)) is not None:
            await public(call)
            return
        principal = await self._check(call)
        trace = {key: call.headers[key] for key in _TRACE_KEYS if key in call.headers}
        token = TRACE_CONTEXT.set(trace) if trace else None
        try:
            with self._context.call(
                "grpc",
                whole_request=True,
                principal=principal,
                client_address=call.peer,
                request_id=call.request_id,
                idempotency_key=call.headers.get("idempotency-key"),
            ):
                await self._handle(call)
        finally:
            if token is not None:
                TRACE_CONTEXT.reset(token)

    async def _handle(self, call: Call) -> None:
        try:
            handler = self._handlers.get(call.path)
            if handler is None:
                raise StatusError(Code.UNIMPLEMENTED, "unknown method; the service lists its methods by reflection")
            await handler(call)
        except StatusError as error:
            note_call(status=error.code.name)
            raise

    async def _check(self, call: Call) -> Principal | None:
        access = self._context.access
        if access is None:
            return None
        headers = {name: value for name, value in call.headers.items() if not name.startswith(":")}
        template = call.path if call.path in self._handlers else None
        verdict: Any = access.check(
            headers,
            method="POST",
            path=call.path,
            peer=call.peer,
            transport=call.transport,
            template=template,
            request_id=call.request_id,
        )
        if inspect.isawaitable(verdict):
            verdict = await verdict
        if isinstance(verdict, Refusal):
            raise StatusError(code_of_status(verdict.status), verdict.detail)
        principal: Principal = verdict
        return principal
