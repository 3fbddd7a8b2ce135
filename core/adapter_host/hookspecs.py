"""The hooks of a plugin. All are called at load or build; none per request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import pluggy

from .adapters import Consumer, Exposer
from .declaration import Declaration
from .errors import Problem
from .operation import Call, Operation

PROJECT = "adapter_host"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook of its name."""


class RegisterExposer(Protocol):
    """Registers an exposer class under the `exposes` type it serves."""

    def __call__(self, type: str, exposer: type[Exposer[Any]]) -> None: ...


class RegisterConsumer(Protocol):
    """Registers a consumer class under the `consumes` type it calls."""

    def __call__(self, type: str, consumer: type[Consumer[Any]]) -> None: ...


@hookspec
def register_exposers(register: RegisterExposer) -> None:
    """Register exposer classes, one for each ``exposes`` type the plugin serves."""


@hookspec
def register_consumers(register: RegisterConsumer) -> None:
    """Register consumer classes, one for each ``consumes`` type the plugin calls."""


@hookspec
def check_capability(declaration: Declaration) -> Iterable[Problem] | None:
    """Report problems that no single model can see, before anything is built."""


@hookspec
def operation_wrapper(operation: Operation) -> Callable[[Call], Call] | None:
    """Return a function that wraps the operation's call; it runs once, at build."""
