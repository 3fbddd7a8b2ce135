"""Open the state store of a host by the URL in its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter_host.document.messages import did_you_mean
from adapter_host.errors import PluginError, Problem, ProblemsError
from adapter_host.plugin.context import SEALING_KEYS, STATE
from adapter_host.settings import Settings
from adapter_host.state.sealing import KEY, SealingKeys
from adapter_host.state.store import StateStore

from .manager import Plugins


def open_state(settings: Settings, plugins: Plugins) -> tuple[dict[str, Any], StateStore]:
    """Return the shared state of plugins, and the state store in it, with its prefix; raise `ProblemsError`.

    The shared state also has the keys that seal secrets in the store, if there are any.
    """
    scheme, colon, _ = settings.state.partition(":")
    if not colon:
        raise ProblemsError([Problem("the URL of the state store has no scheme; use SCHEME:...", code="invalid")])
    scheme = scheme.lower()
    store = plugins.state_stores.get(scheme)
    if store is None:
        hint = did_you_mean(scheme, plugins.state_stores) or f" (known: {', '.join(sorted(plugins.state_stores))})"
        failed = "".join(f"; {error}" for error in plugins.failed)
        # The rest of the URL may have a password.
        message = f"no plugin has a state store for the scheme '{scheme}'{hint}; install one that has{failed}"
        raise ProblemsError([Problem(message, code="unknown-state-store")])
    with plugins.named(store):
        try:
            opened = store(settings.state, settings.environment)
        except ValueError as error:
            raise ProblemsError([Problem(f"the URL of the state store is invalid: {error}")]) from None
    shared = {STATE: opened, **_sealing_keys(settings.environment)}
    return shared, opened.namespaced(settings.state_prefix)


def _sealing_keys(environment: Mapping[str, str]) -> dict[str, Any]:
    text = environment.get(KEY)
    if not text:
        return {}
    try:
        return {SEALING_KEYS: SealingKeys.parse(text)}
    except ValueError as error:
        raise ProblemsError([Problem(f"the key of the state store in {KEY} is invalid: {error}")]) from None


async def stop_state(shared: Mapping[str, Any], plugins: Plugins) -> list[BaseException]:
    """Stop the state store, and return the error, if there is one."""
    try:
        with plugins.named(type(shared[STATE])):
            await shared[STATE].stop()
    except PluginError as error:
        return [error]
    return []
