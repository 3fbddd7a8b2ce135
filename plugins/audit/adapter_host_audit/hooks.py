"""The hooks of the plugin."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from adapter_host import (
    BuildContext,
    Call,
    CallContext,
    ConsumedCall,
    ConsumedOperation,
    ConsumerConfig,
    HostService,
    Operation,
    Refusal,
    RegisterSettings,
    StartError,
    hookimpl,
    plugin_settings,
)

from .arguments import KEY_VARIABLE, MIN_KEY_LENGTH, ArgumentRecorder, random_key
from .audit_file import AuditFile
from .recording import record_call, record_refusal, record_upstream
from .settings import PLUGIN, AuditSettings

_FILE: Final = "adapter_host_audit.file"
_LOG: Final = logging.getLogger("adapter_host.audit")


@hookimpl
def register_settings(register: RegisterSettings) -> None:
    """Register the settings."""
    register(AuditSettings)


@hookimpl(tryfirst=True)
def call_wrapper(operation: Operation, context: BuildContext) -> Callable[[Call], Call] | None:
    """Record the calls of an operation, also those with invalid arguments."""
    settings = _settings(context)
    if settings.file is None:
        return None
    recorder = ArgumentRecorder(settings, _key(context))
    must_record = settings.when_unavailable == "refuse"
    file = _file(context, settings.file)
    return lambda call: record_call(call, operation.name, recorder, file, must_record=must_record)


@hookimpl
def consumer_wrapper(
    config: ConsumerConfig, operations: Sequence[ConsumedOperation], context: BuildContext
) -> Callable[[ConsumedOperation, ConsumedCall], ConsumedCall] | None:
    """Add the calls of a consumed API to the record of the call that makes them."""
    return None if _settings(context).file is None else record_upstream


@hookimpl
def access_refused(context: BuildContext) -> Callable[[CallContext, Refusal], None] | None:
    """Record the requests that the access check refuses."""
    settings = _settings(context)
    if settings.file is None:
        return None
    file = _file(context, settings.file)
    return lambda call, refusal: record_refusal(call, refusal, file)


@hookimpl
def host_services(host: Any) -> Sequence[HostService]:
    """Offer the audit log to the other plugins of the host."""
    settings = plugin_settings(host.settings, PLUGIN, AuditSettings)
    contexts = _contexts(host)
    if settings.file is None or not contexts:
        return ()
    from .service import AuditLog

    must_record = settings.when_unavailable == "refuse"
    return [AuditLog(settings.file, _file(contexts[0], settings.file), must_record=must_record)]


@hookimpl
def host_starting(host: Any) -> None:
    """Open the file; raise `StartError` if that fails and calls would be refused."""
    settings = plugin_settings(host.settings, PLUGIN, AuditSettings)
    for context in _contexts(host)[:1]:
        if settings.file is None:
            return
        try:
            _file(context, settings.file).open()
        except OSError as error:
            reason = f"the audit log cannot be opened: {(error.strerror or str(error)).lower()}"
            if settings.when_unavailable == "refuse":
                raise StartError(f"{reason}; correct 'audit.file', or set 'audit.whenUnavailable=continue'") from error
            _LOG.error("%s", reason)


@hookimpl
def host_stopped(host: Any) -> None:
    """Close the file."""
    settings = plugin_settings(host.settings, PLUGIN, AuditSettings)
    for context in _contexts(host)[:1]:
        if settings.file is not None:
            _file(context, settings.file).close()


def _contexts(host: Any) -> list[BuildContext]:
    """Return the contexts of exposers; all have the shared state of the host."""
    return [exposer_plan.exposer.context for plan in host.plans for exposer_plan in plan.exposers]


def _settings(context: BuildContext) -> AuditSettings:
    return context.plugin_settings(PLUGIN, AuditSettings)


def _file(context: BuildContext, path: str) -> AuditFile:
    return context.shared_state(_FILE, lambda: AuditFile(path))


def _key(context: BuildContext) -> bytes:
    key = context.settings.environment.get(KEY_VARIABLE, "").encode()
    if key and len(key) < MIN_KEY_LENGTH:
        raise ValueError(f"the secret {KEY_VARIABLE} is too short; use {MIN_KEY_LENGTH} characters or more")
    return key or random_key()
