"""The server speaks the protocol with a client over standard input and output, as an editor does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from lsprotocol import types
from pygls.lsp.client import LanguageClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = """\
naftiko: 1.0.0-alpha2
info:
  label: Weather
binds:
  - namespace: env
    keys:
      TOKEN: WEATHER_TOKEN
capability:
  consumes:
    - type: http
      namespace: weather
      baseUri: https://weather.example.com
      authentication: {type: bearer, token: "{{TOKEN}}"}
      resources:
        - name: places
          path: /places/{id}
          operations:
            - name: read
              method: GET
              description: Reads a place
              inputParameters:
                - {name: id, in: path}
              outputParameters:
                - {name: temperature, type: number, value: $.t}
                - {name: wind, type: string, value: $.w}
            - name: days
              method: GET
              inputParameters:
                - {name: id, in: path}
  exposes:
    - type: mcp
      namespace: tools
      port: 9000
      tools:
        - name: look
          description: "🌦️ Looks at a place"
          call: weather.read
          with: {id: tools.id}
          inputParameters:
            - {name: id, type: string, description: Place}
"""


class Editor(LanguageClient):
    """A client that keeps the diagnostics by document and version."""

    def __init__(self) -> None:
        super().__init__("editor", "1")
        self.published: dict[str, types.PublishDiagnosticsParams] = {}
        self._arrived = asyncio.Condition()

        @self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[untyped-decorator]
        async def receive(params: types.PublishDiagnosticsParams) -> None:
            async with self._arrived:
                self.published[params.uri] = params
                self._arrived.notify_all()

    async def diagnostics(self, uri: str, version: int | None) -> list[types.Diagnostic]:
        def is_published() -> bool:
            return uri in self.published and self.published[uri].version == version

        async with self._arrived, asyncio.timeout(30):
            await self._arrived.wait_for(is_published)
        return list(self.published[uri].diagnostics)

    def open(self, path: Path, text: str) -> str:
        uri = path.as_uri()
        self.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, types.LanguageKind("yaml"), 1, text))
        )
        return uri

    def change(self, uri: str, version: int, text: str) -> None:
        self.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version, uri),
                [types.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    async def complete(self, uri: str, position: types.Position) -> list[types.CompletionItem]:
        params = types.CompletionParams(types.TextDocumentIdentifier(uri), position)
        found = await self.text_document_completion_async(params)
        assert isinstance(found, types.CompletionList)
        return list(found.items)

    async def define(self, uri: str, position: types.Position) -> list[types.Location]:
        params = types.DefinitionParams(types.TextDocumentIdentifier(uri), position)
        found = await self.text_document_definition_async(params)
        assert isinstance(found, list | tuple)
        return [item for item in found if isinstance(item, types.Location)]

    async def hover(self, uri: str, position: types.Position) -> str:
        params = types.HoverParams(types.TextDocumentIdentifier(uri), position)
        found = await self.text_document_hover_async(params)
        return found.contents.value if found and isinstance(found.contents, types.MarkupContent) else ""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(folder: Path) -> AsyncIterator[Editor]:
    editor = Editor()
    await editor.start_io(sys.executable, "-m", "adapter_host", "lsp", "--delay", "0")
    workspace = types.WorkspaceFolder(folder.as_uri(), folder.name)
    result = await editor.initialize_async(
        types.InitializeParams(types.ClientCapabilities(), workspace_folders=[workspace])
    )
    assert result.capabilities.position_encoding in (None, types.PositionEncodingKind.Utf16)
    editor.initialized(types.InitializedParams())
    yield editor
    await editor.shutdown_async(None)
    editor.exit(None)
    await editor.stop()  # type: ignore[no-untyped-call]


def place(text: str, before: str, *, after: int = 0) -> types.Position:
    """Return the position behind the first `before`, in UTF-16 code units."""
    lines = text[: text.index(before) + len(before) + after].split("\n")
    return types.Position(len(lines) - 1, len(lines[-1].encode("utf-16-le")) // 2)


async def test_problems_of_the_buffer_are_published_not_those_of_the_file(editor: Editor, folder: Path) -> None:
    path = folder / "buffer.yaml"
    path.write_text("naftiko: [")
    uri = editor.open(path, DOCUMENT)
    assert await editor.diagnostics(uri, 1) == []
    changed = DOCUMENT.replace("call: weather.read", "call: weather.raed")
    editor.change(uri, 2, changed)
    [problem] = await editor.diagnostics(uri, 2)
    assert problem.message == "unknown operation 'weather.raed'; did you mean 'weather.read'?"
    assert (problem.code, problem.source, problem.severity) == (
        "unknown-call",
        "adapter-host",
        types.DiagnosticSeverity.Error,
    )
    assert problem.range == types.Range(place(changed, "call: "), place(changed, "call: weather.raed"))
    editor.change(uri, 3, DOCUMENT)
    assert await editor.diagnostics(uri, 3) == []


async def test_columns_are_utf16_code_units(editor: Editor, folder: Path) -> None:
    text = DOCUMENT.replace("  label: Weather", '  {label: "🌦️🌦️", tags: [x], labell: y}').replace(
        "info:\n  {", "info: {"
    )
    uri = editor.open(folder / "units.yaml", text)
    [problem] = await editor.diagnostics(uri, 1)
    assert problem.code == "unknown-key"
    assert problem.range == types.Range(place(text, "tags: [x], "), place(text, "tags: [x], labell"))


async def test_syntax_errors_are_published(editor: Editor, folder: Path) -> None:
    text = DOCUMENT + "\n  x: [\n"
    uri = editor.open(folder / "syntax.yaml", text)
    assert [problem.code for problem in await editor.diagnostics(uri, 1)] == ["syntax"]


async def test_other_yaml_files_have_no_problems(editor: Editor, folder: Path) -> None:
    uri = editor.open(folder / "compose.yaml", "services:\n  web: {image: x}\n")
    assert await editor.diagnostics(uri, 1) == []
    assert await editor.complete(uri, types.Position(1, 2)) == []
    uri = editor.open(folder / "broken.yaml", "services: [\n")
    assert await editor.diagnostics(uri, 1) == []


async def test_a_long_text_is_not_checked(editor: Editor, folder: Path) -> None:
    text = f"{DOCUMENT}\n# {'x' * 1_000_000}\n"
    uri = editor.open(folder / "long.yaml", text)
    [problem] = await editor.diagnostics(uri, 1)
    assert problem.message == "longer than 1,000,000 characters; check it with `adapter-host validate`"
    assert await editor.complete(uri, types.Position(3, 2)) == []
    assert await editor.hover(uri, types.Position(3, 2)) == ""
    editor.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
    assert await editor.diagnostics(uri, None) == []


async def test_closed_documents_have_no_problems(editor: Editor, folder: Path) -> None:
    uri = editor.open(folder / "closed.yaml", "naftiko: [\n")
    assert await editor.diagnostics(uri, 1) != []
    editor.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
    assert await editor.diagnostics(uri, None) == []


async def labels(editor: Editor, folder: Path, text: str, before: str) -> list[str]:
    uri = editor.open(folder / "completion.yaml", text)
    items = await editor.complete(uri, place(text, before))
    return [item.label for item in items]


async def test_operations_are_completed(editor: Editor, folder: Path) -> None:
    text = DOCUMENT.replace("call: weather.read", "call: ")
    uri = editor.open(folder / "operations.yaml", text)
    items = await editor.complete(uri, place(text, "call: "))
    assert [(item.label, item.detail) for item in items] == [
        ("weather.read", "GET https://weather.example.com/places/{id}"),
        ("weather.days", "GET https://weather.example.com/places/{id}"),
    ]
    edit = items[0].text_edit
    assert edit == types.TextEdit(types.Range(place(text, "call: "), place(text, "call: ")), "weather.read")


async def test_a_part_of_a_value_is_replaced(editor: Editor, folder: Path) -> None:
    uri = editor.open(folder / "replaced.yaml", DOCUMENT)
    items = await editor.complete(uri, place(DOCUMENT, "call: weather."))
    assert items[1].text_edit == types.TextEdit(
        types.Range(place(DOCUMENT, "call: "), place(DOCUMENT, "call: weather.read")), "weather.days"
    )


async def test_keys_and_values_are_completed(editor: Editor, folder: Path) -> None:
    text = DOCUMENT.replace("          call: weather.read\n", "          call: weather.read\n          \n")
    keys = await labels(editor, folder, text, "call: weather.read\n          ")
    assert "hints" in keys
    assert "call" not in keys
    assert "name" not in keys
    assert "mcp" in await labels(editor, folder, DOCUMENT, "exposes:\n    - type: ")
    assert "PATCH" in await labels(editor, folder, DOCUMENT, "- name: read\n              method: ")


async def test_secrets_and_inputs_are_completed(editor: Editor, folder: Path) -> None:
    text = DOCUMENT.replace("{{TOKEN}}", "{{")
    uri = editor.open(folder / "secrets.yaml", text)
    [item] = await editor.complete(uri, place(text, 'token: "{{'))
    assert isinstance(item.text_edit, types.TextEdit)
    assert (item.label, item.text_edit.new_text) == ("env.TOKEN", "env.TOKEN}}")
    text = DOCUMENT.replace("with: {id: tools.id}", 'with: {id: "{{i"}')
    assert await labels(editor, folder, text, 'id: "{{i') == ["id", "env.TOKEN"]


async def test_paths_of_results_are_completed(editor: Editor, folder: Path) -> None:
    output = """
          outputParameters:
            - type: object
              properties:
                t: {type: number, mapping: $.}
"""
    text = DOCUMENT.rstrip() + output
    assert await labels(editor, folder, text, "mapping: $.") == ["$.temperature", "$.wind"]


async def test_a_call_leads_to_the_operation(editor: Editor, folder: Path) -> None:
    uri = editor.open(folder / "call.yaml", DOCUMENT)
    [found] = await editor.define(uri, place(DOCUMENT, "call: weath"))
    assert (found.uri, found.range.start) == (uri, place(DOCUMENT, "operations:\n            - name: "))
    [found] = await editor.define(uri, place(DOCUMENT, 'token: "{{TO'))
    assert found.range.start == place(DOCUMENT, "keys:\n      ")


async def test_hover_shows_the_request_and_the_cost(editor: Editor, folder: Path) -> None:
    uri = editor.open(folder / "hover.yaml", DOCUMENT)
    request = await editor.hover(uri, place(DOCUMENT, "call: weath"))
    assert "GET https://weather.example.com/places/{id}" in request
    assert "Reads a place" in request
    tool = await editor.hover(uri, place(DOCUMENT, "- name: loo"))
    assert "costs a model about" in tool
    assert "1 tool, about" in await editor.hover(uri, place(DOCUMENT, "namespace: too"))
    assert await editor.hover(uri, place(DOCUMENT, "{{TO")) == "Secret `env.TOKEN`, from bind 'env'."


async def test_imports_are_read_from_buffers_and_lead_there(editor: Editor, folder: Path) -> None:
    head, _, tail = DOCUMENT.partition("  consumes:\n")
    consumed, _, exposed = tail.partition("  exposes:\n")
    shared = "naftiko: 1.0.0-alpha2\nconsumes:\n" + "".join(line[2:] + "\n" for line in consumed.splitlines())
    path = folder / "shared.yaml"
    path.write_text("no: capability\n")
    imported = editor.open(path, shared)
    await editor.diagnostics(imported, 1)
    entry = "  consumes:\n    - {import: weather, location: ./shared.yaml}\n  exposes:\n"
    text = head + entry + exposed
    uri = editor.open(folder / "importing.yaml", text)
    assert await editor.diagnostics(uri, 1) == []
    [found] = await editor.define(uri, place(text, "call: weath"))
    assert (found.uri, found.range.start) == (imported, place(shared, "operations:\n          - name: "))
    editor.change(imported, 2, shared.replace("name: read", "name: other"))
    del editor.published[uri]
    assert [problem.code for problem in await editor.diagnostics(uri, 1)] == ["unknown-call"]
    editor.change(imported, 3, shared.replace("method: GET", "method: GOT", 1))
    del editor.published[uri]
    others = [problem for problem in await editor.diagnostics(uri, 1) if problem.code != "unknown-call"]
    assert [problem.range.start for problem in others] == [place(text, "location: ")]
    line = shared[: shared.index("method: GET")].count("\n") + 1
    assert others[0].message.startswith(f"{path}:{line}:21: ")


async def test_files_outside_of_the_workspace_are_not_read(editor: Editor, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "outside.yaml"
    secret.write_text(
        "naftiko: 1.0.0-alpha2\nconsumes:\n  - {type: http, namespace: weather, baseUri: https://x.example}\n"
    )
    (folder / "link.yaml").symlink_to(secret)
    for location in (str(secret), "./link.yaml"):
        text = f"naftiko: 1.0.0-alpha2\ncapability:\n  consumes:\n    - {{import: weather, location: {location}}}\n"
        uri = editor.open(folder / "outside.yaml", text)
        [problem] = await editor.diagnostics(uri, 1)
        assert problem.message == f"cannot import '{location}': cannot read: it is outside of the workspace folder"
        del editor.published[uri]
        assert await editor.define(uri, place(text, "location: ./" if location[0] == "." else "location: /")) == []


async def test_fixes_and_formatting(editor: Editor, folder: Path) -> None:
    text = DOCUMENT.replace("- name: look", "- name: look here").replace("      port: 9000\n", "      port: 9000   \n")
    uri = editor.open(folder / "fixes.yaml", text)
    [problem] = await editor.diagnostics(uri, 1)
    params = types.CodeActionParams(
        types.TextDocumentIdentifier(uri), problem.range, types.CodeActionContext([problem])
    )
    [action] = await editor.text_document_code_action_async(params) or ()
    assert isinstance(action, types.CodeAction)
    assert (action.title, action.kind) == ("Rename the tool", types.CodeActionKind.QuickFix)
    assert [*(action.diagnostics or ())] == [problem]
    assert action.edit is not None
    assert action.edit.changes is not None
    assert [*action.edit.changes[uri]] == [types.TextEdit(problem.range, "look-here")]
    elsewhere = types.Range(types.Position(0, 0), types.Position(0, 0))
    params = types.CodeActionParams(types.TextDocumentIdentifier(uri), elsewhere, types.CodeActionContext([]))
    assert not await editor.text_document_code_action_async(params)
    options = types.FormattingOptions(2, insert_spaces=True)
    formatting = types.DocumentFormattingParams(types.TextDocumentIdentifier(uri), options)
    [edit] = await editor.text_document_formatting_async(formatting) or ()
    assert edit.new_text == text.replace("9000   \n", "9000\n")
    assert edit.range == types.Range(types.Position(0, 0), types.Position(text.count("\n"), 0))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("call: weather.read", "call: weather.raed"),
        ("description: Reads", "descripton: Reads"),
        ("type: mcp", "type: mcpp"),
    ],
)
async def test_suggested_names_are_written(editor: Editor, folder: Path, right: str, wrong: str) -> None:
    text = DOCUMENT.replace(right, wrong)
    uri = editor.open(folder / "suggested.yaml", text)
    await editor.diagnostics(uri, 1)
    del editor.published[uri]
    whole = types.Range(types.Position(0, 0), types.Position(text.count("\n"), 0))
    params = types.CodeActionParams(types.TextDocumentIdentifier(uri), whole, types.CodeActionContext([]))
    [action] = await editor.text_document_code_action_async(params) or ()
    assert isinstance(action, types.CodeAction)
    assert action.title.startswith("Change to '")
    assert not action.is_preferred
    assert action.edit is not None
    assert action.edit.changes is not None
    [edit] = action.edit.changes[uri]
    assert isinstance(edit, types.TextEdit)
    assert edit.new_text in right
    assert edit.range.start.line == text[: text.index(wrong)].count("\n")


ORDERS = """\
naftiko: 1.0.0-alpha2
info: {label: Orders}
capability:
  exposes:
    - type: control
      namespace: health
      port: 9100
    - type: mcp
      namespace: orders
      port: 9001
      tools:
        - {name: list, description: Lists orders, tags: [reads], outputParameters: [{type: string, value: none}]}
        - {name: cancel, tags: [writes], outputParameters: [{type: string, value: done}]}
"""

DESK = """\
naftiko: 1.0.0-alpha2
info: {label: Desk}
capability:
  exposes:
    - type: mcp
      namespace: desk
      port: 9002
      tools: []
      x-include:
        - location: ./orders.yaml
          namespace: orders
          only:
            names: [list]
            tags: [writes]
"""


async def test_an_editor_knows_what_is_included(editor: Editor, folder: Path) -> None:
    (folder / "orders.yaml").write_text(ORDERS)
    uri = editor.open(folder / "desk.yaml", DESK)
    assert await editor.diagnostics(uri, 1) == []
    hovered = await editor.hover(uri, place(DESK, "namespace: ord"))
    assert hovered == "**orders** (mcp) has 2 entries: `list`, `cancel`"
    places = [
        (found.uri, found.range.start.line)
        for before in ("./ord", "namespace: ord", "names: [li")
        for found in await editor.define(uri, place(DESK, before))
    ]
    other = (folder / "orders.yaml").as_uri()
    assert places == [(other, 0), (other, 8), (other, 11)]
    proposed = {}
    for key, old, new in (("namespace", ": orders\n", ": \n"), ("names", "[list]", "[]"), ("tags", "[writes]", "[]")):
        text = DESK.replace(old, new)
        editor.change(uri, 2, text)
        position = place(text, "          namespace: " if key == "namespace" else f"{key}: [")
        proposed[key] = [item.label for item in await editor.complete(uri, position)]
    assert proposed == {"namespace": ["orders"], "names": ["list", "cancel"], "tags": ["reads", "writes"]}


async def test_a_problem_of_an_included_file_is_at_its_include(editor: Editor, folder: Path) -> None:
    (folder / "orders.yaml").write_text(ORDERS.replace("type: mcp", "type: nothing"))
    uri = editor.open(folder / "counter.yaml", DESK)
    found = await editor.diagnostics(uri, 1)
    line = DESK.splitlines().index("        - location: ./orders.yaml")
    assert [problem.range.start.line for problem in found] == [line, line]
