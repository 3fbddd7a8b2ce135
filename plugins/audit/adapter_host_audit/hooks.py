"""The hooks of the plugin."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Final

from adapter_host import (
    BuildContext,
    Call,
    ConsumedCall,
    ConsumedOperation,
    ConsumerConfig,
    HostService,
    Operation,
    RefusedRequest,
    RegisterSettings,
    StartError,
    hookimpl,
    plugin_settings,
)

from .arguments import KEY_VARIABLE, MIN_KEY_LENGTH, ArgumentRecorder, random_key
from .audit_file import AuditFile
from .audit_log import AuditLog, Sink
from .otlp import OtlpSink
from .recording import record_call, record_upstream
from .refusals import RefusalRecorder
from .settings import PLUGIN, AuditSettings

_AUDIT_LOG: Final = "adapter_host_audit.log"
_REFUSALS: Final = "adapter_host_audit.refusals"
_LOG: Final = logging.getLogger("adapter_host.audit")


@hookimpl
def register_settings(register: RegisterSettings) -> None:
    """Register the settings."""
    register(AuditSettings)


@hookimpl(tryfirst=True)
def call_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Record the calls of an operation, also those with invalid arguments."""
    settings = _settings(context)
    if not settings.is_on:
        return None
    recorder = ArgumentRecorder(settings, _key(context))
    must_record = settings.when_unavailable == "refuse"
    log = _audit_log(context, settings)
    return lambda call: record_call(call, operation.name, recorder, log, must_record=must_record)


@hookimpl
def consumer_wrapper(
    config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall] | None:
    """Add the calls of a consumed API to the record of the call that makes them."""
    return record_upstream if _settings(context).is_on else None


@hookimpl
def access_refused(context: BuildContext) -> Callable[[RefusedRequest], None] | None:
    """Record the requests that are refused before they become calls."""
    settings = _settings(context)
    return _refusals(context, settings).record if settings.is_on else None


@hookimpl
def host_services(host: Any) -> Sequence[HostService]:
    """Offer the audit log to the other plugins of the host."""
    settings = plugin_settings(host.settings, PLUGIN, AuditSettings)
    contexts = _contexts(host)
    if not settings.is_on or not contexts:
        return ()
    from .service import LogService

    must_record = settings.when_unavailable == "refuse"
    return [LogService(settings.file, _audit_log(contexts[0], settings), must_record=must_record)]


@hookimpl
def host_starting(host: Any) -> None:
    """Open the log; raise `StartError` if that fails and calls would be refused."""
    settings = plugin_settings(host.settings, PLUGIN, AuditSettings)
    for context in _contexts(host)[:1]:
        if not settings.is_on:
            return
        if settings.otlp is not None and not _is_otlp_installed():
            raise StartError("OTLP export is not installed; pip install 'adapter-host-audit[otlp]'")
        try:
            _audit_log(context, settings).open()
        except OSError as error:
            reason = f"the audit log cannot be opened: {(error.strerror or str(error)).lower()}"
            if settings.when_unavailable == "refuse":
                raise StartError(f"{reason}; correct 'audit.file', or set 'audit.whenUnavailable=continue'") from error
            _LOG.error("%s", reason)


@hookimpl
async def host_stopped(host: Any) -> None:
    """Summarize the refused requests without a record, and close the log."""
    settings = plugin_settings(host.settings, PLUGIN, AuditSettings)
    for context in _contexts(host)[:1]:
        if settings.is_on:
            _refusals(context, settings).flush()
            await _audit_log(context, settings).close()


def _is_otlp_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _contexts(host: Any) -> list[BuildContext]:
    """Return the contexts of exposers; all have the shared state of the host."""
    return [exposer_plan.exposer.context for plan in host.plans for exposer_plan in plan.exposers]


def _settings(context: BuildContext) -> AuditSettings:
    return context.plugin_settings(PLUGIN, AuditSettings)


def _audit_log(context: BuildContext, settings: AuditSettings) -> AuditLog:
    def create() -> AuditLog:
        file: list[Sink] = [] if settings.file is None else [AuditFile(settings.file)]
        return AuditLog([*file, *([] if settings.otlp is None else [OtlpSink(settings.otlp)])])

    return context.shared_state(_AUDIT_LOG, create)


def _refusals(context: BuildContext, settings: AuditSettings) -> RefusalRecorder:
    log, limit = _audit_log(context, settings), settings.refusals_per_second
    return context.shared_state(_REFUSALS, lambda: RefusalRecorder(log, limit))


def _key(context: BuildContext) -> bytes:
    key = context.settings.environment.get(KEY_VARIABLE, "").encode()
    if key and len(key) < MIN_KEY_LENGTH:
        raise ValueError(f"the secret {KEY_VARIABLE} is too short; use {MIN_KEY_LENGTH} characters or more")
    return key or random_key()
