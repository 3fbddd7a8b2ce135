"""Neovim uses the language server with each configuration of the page about editors."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

PAGE: Final = Path(__file__).resolve().parents[3] / "docs/how-to/editors.md"
OLDEST: Final = (0, 11)

DOCUMENT: Final = """\
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: orders
      baseUri: https://orders.example.com/v1
      resources:
        - {path: /orders, operations: [{name: list-orders, method: GET}]}
  exposes:
    - type: rest
      namespace: front
      port: 0
      resources:
        - path: /orders
          operations: [{method: GET, call: orders.list-orders}, {method: POST, call: orders.list-ordrs}]
"""

# Asks for everything at the places that the environment has, and writes the results as JSON.
PROBE: Final = """
local found = vim.json.decode(vim.env.PLACES)
vim.wait(30000, function() return #vim.diagnostic.get(0) > 0 end, 20)
local results = {diagnostics = vim.diagnostic.get(0), clients = {}, keys = {vim.bo.omnifunc, vim.bo.tagfunc}}
for _, client in ipairs(vim.lsp.get_clients({bufnr = 0})) do results.clients[client.name] = client.root_dir end
for method, position in pairs(found) do
  local arguments = {textDocument = vim.lsp.util.make_text_document_params(), position = position}
  for _, response in pairs(vim.lsp.buf_request_sync(0, method, arguments, 30000) or {}) do
    results[method] = response.result
  end
end
vim.fn.writefile({vim.json.encode(results)}, vim.env.RESULTS)
vim.cmd("qall!")
"""


def configurations() -> list[str]:
    """Return the Lua of the page that starts `adapter-host lsp`."""
    return [block for block in re.findall(r"```lua\n(.*?)```", PAGE.read_text(), re.DOTALL) if '"lsp"' in block]


@pytest.fixture(scope="module")
def neovim() -> str:
    path = shutil.which("nvim")
    if path is None:
        pytest.skip("Neovim (nvim) is not installed")
    printed = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.match(r"NVIM v(\d+)\.(\d+)", printed)
    assert version is not None, printed
    if (int(version[1]), int(version[2])) < OLDEST:
        pytest.skip(f"the page needs Neovim 0.11 or later, and this is {version[0]}")
    return path


def place(text: str) -> dict[str, int]:
    """Return the position inside of a text of the document."""
    lines = DOCUMENT[: DOCUMENT.index(text) + len(text) - 2].split("\n")
    return {"line": len(lines) - 1, "character": len(lines[-1])}


def edited(neovim: str, configuration: str, folder: Path) -> Mapping[str, Any]:
    """Open the document in Neovim and return the responses of the language server."""
    workspace, results = folder / "workspace", folder / "results.json"
    (workspace / ".git").mkdir(parents=True)
    (workspace / "orders.yaml").write_text(DOCUMENT)
    (folder / "init.lua").write_text(configuration)
    (folder / "probe.lua").write_text(PROBE)
    places = {
        "textDocument/hover": place("call: orders.list-orders"),
        "textDocument/definition": place("call: orders.list-orders"),
        "textDocument/completion": place("call: orders.list-ordrs"),
    }
    environment = {
        "HOME": str(folder),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PLACES": json.dumps(places),
        "RESULTS": str(results),
    }
    command = [neovim, "--headless", "-u", "../init.lua", "orders.yaml", "-c", "luafile ../probe.lua"]
    done = subprocess.run(
        command, cwd=workspace, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert results.exists(), done.stderr
    found: dict[str, Any] = json.loads(results.read_text())
    return found


def test_the_page_has_configurations() -> None:
    assert len(configurations()) == 2


@pytest.mark.parametrize("configuration", configurations(), ids=["config", "autocmd"])
def test_each_configuration_of_the_page(neovim: str, configuration: str, tmp_path: Path) -> None:
    found = edited(neovim, configuration, tmp_path)
    assert found["clients"] == {"adapter_host": str(tmp_path / "workspace")}
    assert found["keys"] == ["v:lua.vim.lsp.omnifunc", "v:lua.vim.lsp.tagfunc"]
    (problem,) = found["diagnostics"]
    broken = place("call: orders.")
    assert (problem["code"], problem["lnum"]) == ("unknown-call", broken["line"])
    assert "GET https://orders.example.com/v1/orders" in found["textDocument/hover"]["contents"]["value"]
    (declaration,) = found["textDocument/definition"]
    assert declaration["uri"] == (tmp_path / "workspace/orders.yaml").as_uri()
    assert declaration["range"]["start"]["line"] == place("name: list-orders")["line"]
    labels = [item["label"] for item in found["textDocument/completion"]["items"]]
    assert labels == ["orders.list-orders"]
