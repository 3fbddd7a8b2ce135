"""Logins with the credentials of an exposer, and the role of the caller."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from adapter_host import AccessCheck, ExposerPlan, Host, PluginError, Principal, Refusal

from .roles import Person, Role
from .settings import ConsoleSettings

_MUTUAL_TLS: Final = "mutualtls"
"""The type of authentication that needs TLS, which the console has not."""


class CredentialLogins:
    """Checks the credentials of logins by the `authentication` of one exposer, as it is served now."""

    def __init__(self, host: Host, settings: ConsoleSettings) -> None:
        self._host = host
        self._namespace = settings.authentication
        self._operators = frozenset(settings.operators)
        self._scopes = frozenset(settings.operator_scopes)

    @property
    def enabled(self) -> bool:
        """Whether the settings name an exposer."""
        return self._namespace is not None

    def require(self) -> None:
        """Raise `PluginError` if the settings name an exposer whose credentials cannot be checked."""
        if self.enabled and self._find() is None:
            raise PluginError(
                f"'{self._namespace}' in the setting 'authentication' of the console is not one exposer with an"
                " 'authentication' that works without TLS; set the namespace of one"
            )

    async def check(self, request: web.Request) -> Person | Refusal:
        """Return the caller of a request: read-only unless the settings have declared an operator."""
        access = self._find()
        if access is None:
            return Refusal(403, "logins with credentials are not possible")
        verdict = access.check(request.headers, method=request.method, path=request.raw_path, peer=request.remote)
        if isinstance(verdict, Awaitable):
            verdict = await verdict
        return verdict if isinstance(verdict, Refusal) else Person(self._role_of(verdict), verdict.subject)

    def _role_of(self, principal: Principal) -> Role:
        is_named = principal.subject is not None and principal.subject in self._operators
        has_scopes = bool(self._scopes) and self._scopes <= principal.scopes
        return Role.OPERATOR if is_named or has_scopes else Role.READ_ONLY

    def _find(self) -> AccessCheck | None:
        """Return the access check of the exposer; None if there is none, or several have its namespace."""
        named = [each for plan in self._host.plans for each in plan.exposers if _namespace(each) == self._namespace]
        if len(named) != 1 or named[0].credentials is None or named[0].credentials.kind == _MUTUAL_TLS:
            return None
        return named[0].exposer.context.access


def _namespace(plan: ExposerPlan) -> str:
    namespace: str = plan.exposer.config.namespace
    return namespace
