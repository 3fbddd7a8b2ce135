"""Options of plugins: the allowed and denied ones, files, and settings."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapter_host.cli import UsageError
from adapter_host.document.messages import did_you_mean
from adapter_host.plugin.loading.manager import DISABLE, Plugins
from adapter_host.plugin.plugin_settings import SettingValues
from adapter_host.settings import TlsFiles

from .host_config import HostConfig, read_config


def add_plugin_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of plugins."""
    group = parser.add_argument_group("plugins")
    group.add_argument("--config", metavar="FILE", help="host configuration file: plugins and their settings")
    group.add_argument(
        "--plugin-file", action="append", default=[], metavar="FILE", help="load a plugin from a file (repeatable)"
    )
    group.add_argument(
        "--plugin-setting", action="append", default=[], type=_setting, metavar="NAME.KEY=VALUE",
        help="setting of a plugin, as text or JSON (repeatable)",
    )  # fmt: skip
    group.add_argument(
        "--allow-plugin", action="append", default=[], metavar="NAME",
        help="load no installed plugin but this one (repeatable; default: all)",
    )  # fmt: skip
    group.add_argument(
        "--deny-plugin", action="append", default=[], metavar="NAME",
        help="do not load this installed plugin (repeatable)",
    )  # fmt: skip


def _setting(text: str) -> tuple[str, tuple[str, ...], str]:
    name, equals, value = text.partition("=")
    plugin, *keys = name.split(".")
    if not equals or not plugin or not keys or not all(keys):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME.KEY=VALUE")
    return plugin, tuple(keys), value


def build_plugins(options: argparse.Namespace) -> Plugins:
    """Return the installed plugins that the options allow, and those of files; raise `UsageError` or `PluginError`."""
    config = _config(options)
    denied = {*config.deny_plugins, *options.deny_plugin}
    allowed = {*(config.allow_plugins or ()), *options.allow_plugin}
    is_limited = config.allow_plugins is not None or bool(options.allow_plugin)
    environment = os.environ.get(DISABLE, "").split(",")
    plugins = Plugins.installed({*environment, *denied}, allowed=allowed if is_limited else None)
    known = (*plugins.installed_names, *plugins.disabled)
    for option, names in (("--deny-plugin", denied), ("--allow-plugin", allowed)):
        for name in sorted(names - {*known}):
            hint = did_you_mean(name, known) or f" (installed: {', '.join(sorted(known)) or 'none'})"
            raise UsageError(f"{option}: no plugin '{name}' is installed{hint}")
    for file in (*config.plugin_files, *options.plugin_file):
        if not Path(file).is_file():
            raise UsageError(f"--plugin-file: '{file}' does not exist")
        plugins.register_file(Path(file))
    return plugins


def configured_state(options: argparse.Namespace) -> str:
    """Return the URL of the state store in the configuration file; that of the store in memory without one."""
    return _config(options).state or "memory:"


def configured_tls(options: argparse.Namespace) -> TlsFiles | None:
    """Return the files of TLS: those of options take precedence; raise `UsageError` for one without the others."""
    configured = _config(options).tls
    certificate, key, client_ca = options.tls_cert, options.tls_key, options.tls_client_ca
    if (certificate is None) != (key is None):
        raise UsageError("--tls-cert and --tls-key are used together; set both")
    if configured is not None:
        if certificate is None:
            certificate, key = configured.certificate, configured.key
        client_ca = client_ca or configured.client_ca
    if certificate is None:
        if client_ca is not None:
            raise UsageError("--tls-client-ca needs a certificate of the server; set --tls-cert and --tls-key")
        return None
    return TlsFiles(certificate, key, client_ca, options.watch_interval)


def _config(options: argparse.Namespace) -> HostConfig:
    return read_config(options.config)[0] if options.config else HostConfig()


def setting_values(options: argparse.Namespace) -> Mapping[str, SettingValues]:
    """Return the settings of plugins: those of options take precedence over those of the configuration file."""
    values: dict[str, SettingValues] = {}
    if options.config:
        config, source = read_config(options.config)
        values = {name: SettingValues(section, source) for name, section in config.plugins.items()}
    for plugin, keys, text in options.plugin_setting:
        given = values.get(plugin, SettingValues())
        merged: dict[str, Any] = dict(given)
        _set(merged, keys, text)
        values[plugin] = SettingValues(merged, given.source, {*given.texts, keys[0]})
    return values


def _set(section: dict[str, Any], keys: Sequence[str], value: str) -> None:
    for key in keys[:-1]:
        inner = section.get(key)
        section[key] = dict(inner) if isinstance(inner, dict) else {}
        section = section[key]
    section[keys[-1]] = value
