"""The options `--console` and `--console-edit` of `serve`: short forms of the settings of the plugin `console`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

from adapter_host.cli import UsageError
from adapter_host.plugin.loading.manager import Plugins

PORT: Final = 8765
"""The default port of the console."""

_PLUGIN: Final = "console"


class ConsoleAction(argparse.Action):
    """Sets the port of the console; a word that is no port is a file to serve, as the port is optional."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the setting of the plugin."""
        text = values if isinstance(values, str) else str(PORT)
        if not text.isdecimal():
            namespace.capability = [*namespace.capability, text]
            text = str(PORT)
        elif int(text) > 65535:
            raise argparse.ArgumentError(self, f"'{text}' is not a port; use 0 to 65535 (0: any free port)")
        namespace.console = True
        namespace.plugin_setting = [*namespace.plugin_setting, (_PLUGIN, ("port",), text)]


class ConsoleEditAction(argparse.Action):
    """Lets the console change files; it takes no value."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=False, **options)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the setting of the plugin."""
        namespace.console_edit = True
        namespace.plugin_setting = [*namespace.plugin_setting, (_PLUGIN, ("edit",), "true")]


def check_console(options: argparse.Namespace, plugins: Plugins) -> None:
    """Raise `UsageError` if the console cannot be served."""
    if options.console_edit and not options.console:
        raise UsageError("--console-edit needs --console")
    if not options.console:
        return
    if plugins.load(_PLUGIN) is None:
        raise UsageError("--console needs the plugin 'console'; install adapter-host-console")
