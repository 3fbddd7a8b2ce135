"""`adapter-host init`: write a first capability, from nothing, an OpenAPI document or a curl command."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Final

from adapter_host.openapi import Documents, WarningCollector, write_capability
from adapter_host.openapi.source.reading import Document
from adapter_host.openapi.update.record import Options

from .curl_command import openapi_of
from .import_ import add_options as add_import_options
from .import_ import namespace, read_and_warn
from .import_ import run as run_import
from .output.escapes import escape
from .output.output_file import check_output, write_output
from .parser import Parser

_TEMPLATE: Final = """\
# A consumed API, and one of its operations as a REST route and as an MCP tool.
naftiko: 1.0.0-alpha2

info:
  label: {label}
  description: Things of an example API

capability:
  consumes:
    # The API that is called. `adapter-host serve --mock` replaces it with a mock server.
    - type: http
      namespace: {name}
      baseUri: https://api.example.com
      resources:
        - name: thing
          path: /things/{{id}}
          operations:
            - name: get-thing
              method: GET
              inputParameters:
                - name: id
                  in: path
              # The fields of the response, each with its JSONPath.
              outputParameters:
                - name: name
                  type: string
                  value: $.name
                - name: price
                  type: number
                  value: $.price

  exposes:
    - type: rest
      namespace: {name}-rest
      port: 8080
      resources:
        - path: /things/{{id}}
          operations:
            - name: get-thing
              method: GET
              description: Returns a thing
              call: {name}.get-thing

    - type: mcp
      namespace: {name}-mcp
      port: 9090
      tools:
        - name: get-thing
          description: Returns a thing
          call: {name}.get-thing
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "output", nargs="?", type=Path, default=Path("capability.yaml"), metavar="FILE",
        help="file to write (default: capability.yaml)",
    )  # fmt: skip
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--openapi", metavar="SRC", help="OpenAPI document: a file, or a URL")
    source.add_argument("--curl", metavar="COMMAND", help="curl command with a request, or - for standard input")
    parser.add_argument("--namespace", metavar="NAME", type=namespace, help="namespace of the API")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the file if it exists")


def run(options: argparse.Namespace) -> int:
    """Write the capability."""
    check_output(options)
    if options.openapi is not None:
        run_import(_import_options(options))
    elif options.curl is not None:
        _write_request(sys.stdin.read() if options.curl == "-" else options.curl, options)
    else:
        name = options.namespace or _name(options.output.stem)
        write_output(_TEMPLATE.format(name=name, label=name.capitalize()), options)
    file = escape(str(options.output))
    print(f"{file}: written\nTry it: adapter-host serve --mock {file}", file=sys.stderr)
    return 0


def _import_options(options: argparse.Namespace) -> argparse.Namespace:
    """Return the options of `import` for the same file."""
    parser = Parser(prog="adapter-host init")
    add_import_options(parser)
    named = [f"--namespace={options.namespace}"] if options.namespace else []
    forced = ["--force"] if options.force else []
    return parser.parse_args(
        ["openapi", f"--output={options.output}", "--allow-remote", *named, *forced, "--", options.openapi]
    )


def _write_request(command: str, options: argparse.Namespace) -> None:
    """Write the capability of the request of a curl command."""
    document = Document("the curl command", openapi_of(command.strip()))
    api = read_and_warn(Documents(WarningCollector()).add(document), Options(options.namespace))
    text = write_capability(api, "a curl command")
    write_output(re.sub(r"\A#.*", "# Made from a curl command.", text), options)


def _name(stem: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", stem.lower())) or "example"
