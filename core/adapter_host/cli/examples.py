"""The examples in the help of commands, and the link to the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Final

EXAMPLES: Final[Mapping[str, Sequence[str]]] = {
    "": ("serve --mock weather.yaml", "validate capabilities/", "call weather.yaml weather.forecast city=Paris"),
    "serve": (
        "serve weather.yaml",
        "serve --mock --port weather-rest=0 weather.yaml",
        "serve --stdio weather.yaml",
        "serve --print-config vscode weather.yaml",
    ),
    "validate": (
        "validate weather.yaml",
        "validate --strict --format json capabilities/",
        "validate --fix capabilities/",
    ),
    "lint": ("lint capabilities/", "lint --format sarif --enable write-without-approval weather.yaml > lint.sarif"),
    "inspect": ("inspect weather.yaml", "inspect --tokens weather.yaml"),
    "call": ("call weather.yaml weather.forecast city=Paris", "call --mock weather.yaml weather.forecast city=Paris"),
    "discover": ("discover weather.yaml", "discover --check weather.yaml"),
    "init": ("init weather.yaml", "init weather.yaml --curl 'curl https://api.example.com/forecast?city=Paris'"),
    "import": ("import openapi https://api.example.com/openapi.json -o weather.yaml",),
    "export": ("export openapi weather.yaml -o openapi.json",),
    "install": ("install claude-code weather.yaml", "install cursor --http --dry-run weather.yaml"),
    "fmt": ("fmt weather.yaml", "fmt --check capabilities/"),
    "schema": ("schema -o capability.schema.json",),
    "completion": ("completion bash > ~/.local/share/bash-completion/completions/adapter-host",),
    "plugins": ("plugins", "plugins show rest"),
}
"""The arguments of examples by command, empty for none."""


def documentation_url() -> str | None:
    """Return the URL of the documentation, None if the installed package names none."""
    urls = metadata.metadata("adapter-host-core").get_all("Project-URL") or []
    return next((url.partition(", ")[2] for url in urls if url.startswith("Documentation,")), None)


def epilog(command: str) -> str:
    """Return the end of the help of a command: its examples, and a link to the documentation."""
    lines = [f"  adapter-host {example}" for example in EXAMPLES.get(command, ())]
    link = documentation_url()
    page = f"\n\ndocumentation: {link}/reference/cli.md{f'#{command}' if command else ''}" if link else ""
    return "\n".join(["examples:", *lines]) + page if lines else page.strip()
