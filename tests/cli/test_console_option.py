"""`serve --console [PORT]`."""

from __future__ import annotations

import argparse

import pytest

from adapter_host.cli import main
from adapter_host.cli.serve.options import add_options


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "files", "port"),
    [
        (["a.yaml", "--console"], ["a.yaml"], "8765"),
        (["a.yaml", "--console", "0"], ["a.yaml"], "0"),
        (["--console=9000", "a.yaml"], ["a.yaml"], "9000"),
        (["--console", "a.yaml"], ["a.yaml"], "8765"),
        (["--console", "a.yaml", "b.yaml"], ["a.yaml", "b.yaml"], "8765"),
    ],
)
def test_the_port_is_optional(words: list[str], files: list[str], port: str) -> None:
    options = parse(*words)
    assert [*options.capability, *options.paths] == files
    assert options.console
    assert options.plugin_setting == [("console", ("port",), port)]


def test_without_the_option_nothing_is_set() -> None:
    options = parse("a.yaml")
    assert not options.console
    assert options.plugin_setting == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--console=70000"], "'70000' is not a port; use 0 to 65535 (0: any free port)"),
        (["--console-edit"], "--console-edit needs --console"),
        (
            ["--console", "--deny-plugin=console"],
            "--console needs the plugin 'console'; install adapter-host-console",
        ),
    ],
)
def test_wrong_usage(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "capabilities/greeting.yaml", *words]) == 2
    assert message in capsys.readouterr().err
