"""`import openapi --update`: changes of the document and edits of the file are both kept; conflicts are named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_host import Host, Settings
from adapter_host.cli import main
from adapter_host.document.text.edits import TextEdits
from adapter_host.document.text.layout import Layout
from adapter_host.openapi.update.merge import Kept, Merge

Data = dict[str, Any]

API = """\
openapi: 3.1.0
info:
  title: Shop
  version: "1"
servers:
  - url: https://shop.example.com/v1
paths:
  /orders/{id}:
    get:
      operationId: readOrder
      summary: Read an order
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        "200":
          description: The order
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Order"}
    delete:
      operationId: deleteOrder
      responses:
        "204": {description: Gone}
  /orders:
    post:
      operationId: createOrder
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Draft"}
      responses:
        "204": {description: Made}
components:
  schemas:
    Order:
      type: object
      properties:
        id: {type: integer}
        state: {type: string, enum: [open, sent]}
    Draft:
      type: object
      properties:
        lines: {type: array, items: {type: string}}
"""


class Shop:
    """An imported document; both files can be changed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.api, self.file = folder / "shop-api.yaml", folder / "shop.yaml"
        self.api.write_text(API)
        assert main(["import", "openapi", str(self.api), "-o", str(self.file)]) == 0

    def change(self, file: Path, *pairs: tuple[str, str]) -> None:
        text = file.read_bytes().decode()
        for old, new in pairs:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        file.write_bytes(text.encode())

    def document(self, *pairs: tuple[str, str]) -> None:
        self.change(self.api, *pairs)

    def edit(self, *pairs: tuple[str, str]) -> None:
        self.change(self.file, *pairs)

    def update(self, *options: str) -> tuple[int, list[str], str]:
        """Update; return the status, the problems and the last line."""
        self._capsys.readouterr()
        status = main(["import", "openapi", str(self.api), "--update", str(self.file), *options])
        output = self._capsys.readouterr()
        problems = [line.replace(f"{self.folder}/", "") for line in output.err.splitlines()]
        return status, problems, output.out.replace(f"{self.folder}/", "").strip()

    @property
    def text(self) -> str:
        return self.file.read_bytes().decode()

    @property
    def host(self) -> Host:
        return Host(str(self.file), settings=Settings(environment={}))


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(tmp_path, capsys)


TOOL = """\
        - name: read-order
          description: Read an order
"""
EDITED_TOOL = """\
        # Agents look here first
        - name: look-up  # not read-order
          description: Read an order. Ask for its number.
"""
STATE = "        state: {type: string, enum: [open, sent]}\n"


def test_both_changes_are_kept(shop: Shop) -> None:
    shop.edit((TOOL, EDITED_TOOL), ("      port: 8080\n", "      port: 8081   # ours\n"))
    before = shop.text
    shop.document(
        ("in: path, required: true, schema: {type: integer}}\n",
         "in: path, required: true, schema: {type: integer}}\n"
         "        - {name: unit, in: query, schema: {type: string}}\n"),
        ("enum: [open, sent]", "enum: [open, sent, lost]"),
        ("v1\n", "v2\n"),
    )  # fmt: skip
    assert shop.update() == (0, [], "shop.yaml: 3 changes, 0 conflicts")
    expected = before
    for old, new in (
        ("com/v1\n", "com/v2\n"),
        (
            "                  type: integer\n                  required: true\n",
            "                  type: integer\n                  required: true\n"
            "                - name: unit\n                  in: query\n                  type: string\n",
        ),
        ("          - sent\n", "          - sent\n          - lost\n"),
    ):
        assert expected.count(old) == 1
        expected = expected.replace(old, new)
    assert shop.text == expected
    assert shop.host.warnings == ()
    assert shop.update() == (0, [], "shop.yaml: 0 changes, 0 conflicts")
    assert shop.text == expected


def test_operations_are_added_and_removed(shop: Shop) -> None:
    shop.document(
        ('    delete:\n      operationId: deleteOrder\n      responses:\n        "204": {description: Gone}\n', ""),
        ("  /orders:\n", '  /orders:\n    get: {operationId: listOrders, responses: {"200": {description: All}}}\n'),
    )
    shop.edit(("# Imported", "# Edited\n# Imported"))
    assert shop.update() == (0, [], "shop.yaml: 6 changes, 0 conflicts")
    assert "delete-order" not in shop.text
    assert shop.text.startswith("# Edited\n")
    names = {
        name for status in shop.host.status() for name in (item.name for item in status.exposer.operations.values())
    }
    assert names == {"read-order", "create-order", "list-orders"}


def test_conflicts_are_named_with_both_places(shop: Shop) -> None:
    shop.edit((TOOL, EDITED_TOOL), ("          - sent\n", "          - sent  # by post\n"))
    shop.document(("Read an order", "Read one order"), ("[open, sent]", "[open]"))
    status, problems, summary = shop.update()
    line = shop.text.splitlines().index("          description: Read an order. Ask for its number.") + 1
    sent = shop.text.splitlines().index("          - sent  # by post") + 1
    assert problems == [
        f"shop.yaml:{line}:11: 'description' was changed here, and to 'Read one order' at shop-api.yaml:10:7 "
        "(#/paths/~1orders~1{id}/get); it stays as it is here",
        f"shop.yaml:{sent}:13: 'sent' was removed from the document (at shop-api.yaml:36:7 "
        "(#/components/schemas/Order)), but a comment belongs to it here; it stays",
    ]
    assert (status, summary) == (1, "shop.yaml: 1 change, 2 conflicts")
    assert yaml.safe_load(shop.text)["capability"]["consumes"][0]["resources"][0]["operations"][0]["description"] == (
        "Read one order"
    )
    assert shop.update() == (0, [], "shop.yaml: 0 changes, 0 conflicts")


def test_what_is_edited_or_used_is_not_removed(shop: Shop) -> None:
    section = shop.text[shop.text.index("        - name: delete-order\n          description") :]
    tool = section[: section.index("        - name: create-order")]
    shop.edit((tool, tool + tool.replace("name: delete-order", "name: forget-order").replace("DELETE /", "Forget /")))
    shop.document(
        ('    delete:\n      operationId: deleteOrder\n      responses:\n        "204": {description: Gone}\n', "")
    )
    status, problems, _ = shop.update()
    assert status == 1
    assert problems == [
        "shop.yaml:35:15: 'delete-order' was removed from the document (at shop-api.yaml "
        "(#/paths/~1orders~1{id}/delete)), but is used here; it stays"
    ]
    assert {tool.name for tool in shop.host.status()[1].exposer.operations.values()} == {
        "read-order", "forget-order", "create-order"
    }  # fmt: skip


def test_what_was_removed_stays_removed(shop: Shop) -> None:
    section = shop.text[shop.text.index("        - name: read-order\n          description") :]
    shop.edit((section[: section.index("        - name: delete-order")], ""))
    shop.document(("Read an order", "Read one order"))
    status, problems, _ = shop.update()
    assert status == 0
    assert problems == [
        "shop.yaml:84:7: warning: 'read-order' was removed here, and changed at shop-api.yaml:10:7 "
        "(#/paths/~1orders~1{id}/get); it stays removed"
    ]
    assert shop.text.count("call: shop.read-order") == 1
    assert shop.update()[1] == []


def test_schemas_are_added_and_removed_with_their_uses(shop: Shop) -> None:
    reference = "                  x-schema:\n                    $ref: '#/x-schemas/Order'\n"
    shop.edit((f"                  value: $.\n{reference}", "                  value: $.\n"))
    shop.document(
        (STATE, f'{STATE}        next: {{$ref: "#/components/schemas/Next"}}\n    Next: {{type: string}}\n'),
        ("      responses:\n        \"204\": {description: Made}\n",
         "      responses:\n        \"200\":\n          description: Made\n          content:\n"
         "            application/json: {schema: {$ref: '#/components/schemas/Made'}}\n"),
        ("    Draft:\n", "    Made: {type: object}\n    Draft:\n"),
    )  # fmt: skip
    assert shop.update()[:2] == (0, [])
    # Nothing here refers to `Order` any more, so what it refers to is not added.
    schemas = yaml.safe_load(shop.text)["x-schemas"]
    assert list(schemas) == ["Draft", "Made", "Order"]
    assert shop.host.warnings == ()


def test_renamed_apis_and_operations_keep_their_names(shop: Shop) -> None:
    text = shop.text.replace("namespace: shop\n", "namespace: store\n").replace("call: shop.", "call: store.")
    text = text.replace("- name: delete-order\n              method", "- name: forget\n              method")
    shop.file.write_text(text.replace("call: store.delete-order", "call: store.forget"))
    shop.document(
        ("operationId: readOrder", "operationId: getOrder"),
        ("operationId: deleteOrder", "operationId: deleteOrder\n      description: Delete it"),
        ("  /orders:\n", '  /orders:\n    get: {operationId: readOrder, responses: {"200": {description: All}}}\n'),
    )
    status, problems, _ = shop.update()
    assert (status, problems) == (
        0,
        [
            "shop-api.yaml:10:7: warning: #/paths/~1orders~1{id}/get: it would be named 'get-order' now; it keeps the "
            "name 'read-order'",
            "shop-api.yaml:26:10: warning: #/paths/~1orders/get: it would be named 'read-order' now; it keeps the name "
            "'read-order-2'",
        ],
    )
    data = yaml.safe_load(shop.text)
    (consumer,) = data["capability"]["consumes"]
    operations = {item["name"]: item for each in consumer["resources"] for item in each["operations"]}
    assert list(operations) == ["read-order", "forget", "create-order", "read-order-2"]
    assert operations["forget"]["description"] == "Delete it"
    assert {tool["name"]: tool["call"] for tool in data["capability"]["exposes"][1]["tools"]} == {
        "read-order": "store.read-order",
        "delete-order": "store.forget",
        "read-order-2": "store.read-order-2",
        "create-order": "store.create-order",
    }
    assert shop.host.warnings == ()
    assert shop.update() == (0, [], "shop.yaml: 0 changes, 0 conflicts")


def test_an_operation_with_another_path_is_the_same(shop: Shop) -> None:
    shop.edit((TOOL, EDITED_TOOL))
    shop.document(("  /orders/{id}:\n", "  /v2/orders/{id}:\n"))
    assert shop.update()[:2] == (0, [])
    assert shop.text.count("path: /v2/orders/{id}\n") == 2
    assert shop.text.count("read-order\n") == 5
    assert EDITED_TOOL in shop.text


def test_parts_in_braces_are_written_again(shop: Shop) -> None:
    block = "        enum:\n          - open\n          - sent\n"
    shop.edit((block, "        enum: [open, sent, ours]\n"))
    shop.document(("enum: [open, sent]", "enum: [sent, lost]"))
    assert shop.update() == (0, [], "shop.yaml: 2 changes, 0 conflicts")
    assert "        enum: [sent, lost, ours]\n" in shop.text


def test_options_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str], shop: Shop) -> None:
    (tmp_path / "o.yaml").write_text("overlay: 1.0.0\nactions:\n  - {target: $.info, update: {version: '9'}}\n")
    options = ["--only", "readOrder", "--namespace", "s", "--overlay", str(tmp_path / "o.yaml")]
    assert main(["import", "openapi", str(shop.api), "-o", str(shop.file), "--force", *options]) == 0
    shop.document(("title: Shop", "title: Store"))
    assert shop.update()[:2] == (0, [])
    data = yaml.safe_load(shop.text)
    assert data["info"] == {"label": "Store", "description": "Store, over REST and MCP.", "version": "9"}
    assert data["capability"]["consumes"][0]["namespace"] == "s"
    assert "delete-order" not in shop.text
    assert shop.update("--only", "deleteOrder")[:2] == (0, [])
    assert "delete-order" in shop.text
    assert "read-order" not in shop.text


# The files


def test_force_is_needed_to_overwrite_either_file(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    record = Path(f"{shop.file}.import.json")
    arguments = ["import", "openapi", str(shop.api), "-o", str(shop.file)]
    for missing, left in ((record, shop.file), (shop.file, record)):
        missing.rename(shop.folder / "away")
        assert main(arguments) == 2
        assert f"'{left}' already exists; choose another file, or add --force" in capsys.readouterr().err
        (shop.folder / "away").rename(missing)
    assert main([*arguments, "--force"]) == 0
    for options in (["-o", str(shop.file)], ["--force"]):
        assert main(["import", "openapi", str(shop.api), "--update", str(shop.file), *options]) == 2
        assert "--update cannot be combined with --output or --force" in capsys.readouterr().err


def test_update_of_links_modes_and_marks(shop: Shop) -> None:
    real = shop.file.rename(shop.folder / "real.yaml")
    shop.file.symlink_to("real.yaml")
    real.write_bytes(b"\xef\xbb\xbf" + real.read_bytes().replace(b"\n", b"\r\n"))
    real.chmod(0o640)
    shop.document(("v1\n", "v2\n"))
    assert shop.update()[:2] == (0, [])
    assert shop.file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    content = real.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf# Imported")
    assert b"com/v2\r\n" in content
    assert content.count(b"\n") == content.count(b"\r\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "nothing notes what was imported into 'shop.yaml'; import the earlier document into another file, and "
         "copy its '.import.json' file here"),
        ("{", "cannot read: it is not JSON"),
        ("[]", "it is not the record of an import (version 1); import the document again"),
        ('{"version": 2}', "it is not the record of an import (version 1); import the document again"),
    ],
)  # fmt: skip
def test_without_a_record_nothing_is_written(content: str | None, message: str, shop: Shop) -> None:
    record = Path(f"{shop.file}.import.json")
    record.unlink()
    if content is not None:
        record.write_text(content)
    before = shop.text
    assert shop.update() == (1, [f"shop.yaml.import.json: {message}"], "")
    assert shop.text == before
    assert record.exists() is (content is not None)


def test_an_invalid_file_is_not_written(shop: Shop) -> None:
    shop.edit(("      port: 8080\n", "      port: 8080: 1\n"))
    before = shop.text
    status, problems, _ = shop.update()
    assert status == 1
    assert problems[0].startswith("shop.yaml:62:17:")
    assert shop.text == before


# Any changes


def any_api(random: Random) -> Data:
    """Return a document of six operations with schemas of their own and one that all share."""
    paths: Data = {}
    schemas: Data = {"Shared": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}}
    for number in range(6):
        schemas[f"S{number}"] = {"type": "object", "properties": {"s": {"$ref": "#/components/schemas/Shared"}}}
        path = f"/p{number // 2}"
        method = ("get", "post")[number % 2]
        paths.setdefault(path, {})[method] = operation(random, number)
    info = {"title": "Any", "version": "1"}
    servers = [{"url": "https://any.example.com/v1"}]
    return {"openapi": "3.1.0", "info": info, "servers": servers, "paths": paths, "components": {"schemas": schemas}}


def operation(random: Random, number: int) -> Data:
    schema = {"$ref": f"#/components/schemas/S{number}"}
    parameters = [
        {"name": f"q{index}", "in": "query", "schema": {"type": random.choice(["string", "integer"])}}
        for index in range(random.randrange(3))
    ]
    return {
        "operationId": f"do{number}",
        "summary": f"Do {number}",
        "parameters": parameters,
        "responses": {"200": {"description": "d", "content": {"application/json": {"schema": schema}}}},
    }


def change_document(random: Random, api: Data, numbers: list[int]) -> None:
    """Change some operations of a document, and other parts."""
    for number in numbers:
        path, method = api["paths"][f"/p{number // 2}"], ("get", "post")[number % 2]
        found = path[method]
        kind = random.randrange(6)
        if kind == 0:
            del path[method]
        elif kind == 1:
            found["summary"] = f"Done {number}"
        elif kind == 2:
            found["parameters"] = [{"name": "new", "in": "header", "schema": {"type": "string", "maxLength": 5}}]
        elif kind == 3:
            found["responses"]["200"]["content"]["application/json"]["schema"] = {"type": "array", "items": {}}
        elif kind == 4:
            found["operationId"] = f"other{number}"
        else:
            api["paths"][f"/p{number // 2}"][random.choice(["put", "patch"])] = operation(random, number) | {
                "operationId": f"new{number}"
            }
    if random.randrange(2):
        api["components"]["schemas"]["Shared"]["properties"]["c"] = {"$ref": "#/components/schemas/Fresh"}
        api["components"]["schemas"]["Fresh"] = {"type": "object", "properties": {"f": {"type": "number"}}}
    if random.randrange(2):
        api["servers"] = [{"url": "https://any.example.com/v2"}]
    if random.randrange(2):
        api["info"]["version"] = "2"


def edit_capability(random: Random, numbers: list[int]) -> Callable[[Data], None]:
    """Return a function that makes the same edits of some operations in any version of the capability."""
    kinds = {f"do{number}": random.randrange(7) for number in numbers}
    new_namespace, describes = random.randrange(2), random.randrange(2)

    def edit(data: Data) -> None:
        rest, mcp = data["capability"]["exposes"]
        for name, kind in kinds.items():
            (tool,) = (tool for tool in mcp["tools"] if tool["name"] == name)
            (route,) = (item for each in rest["resources"] for item in each["operations"] if item["name"] == name)
            (consumed,) = (item for item in consumed_operations(data) if item["name"] == name)
            if kind == 0:
                mcp["tools"].remove(tool)
            elif kind == 1:
                tool |= {"name": f"my-{name}", "description": "Mine", "hints": {"openWorld": False}}
            elif kind == 2:
                route["description"] = "My route"
            elif kind == 3:
                consumed["description"] = "My words\nand more\n"
                consumed.pop("x-example", None)
            elif kind == 4:
                consumed.setdefault("inputParameters", []).append({"name": "mine", "in": "query", "value": "1"})
            elif kind == 5:
                mcp["tools"].append({**tool, "name": f"also-{name}"})
            else:
                mcp["tools"].append({"name": f"now-{name}", "description": "New", "call": tool["call"]})
                mcp["tools"].remove(tool)
        rest["port"] = 8089
        if new_namespace:
            data["capability"]["consumes"][0]["namespace"] = "mine"
            for item in [*mcp["tools"], *(item for each in rest["resources"] for item in each["operations"])]:
                item["call"] = item["call"].replace("any.", "mine.")
        if describes:
            data["x-schemas"]["Shared"]["properties"]["b"]["description"] = "Mine"

    return edit


def consumed_operations(data: Data) -> Iterator[Data]:
    return (item for each in data["capability"]["consumes"][0]["resources"] for item in each["operations"])


def with_edits(text: str, edit: Callable[[Data], None]) -> str:
    """Return the text of a capability with edits."""
    data = yaml.safe_load(text)
    new = copy.deepcopy(data)
    edit(new)
    merge = Merge(TextEdits(Layout(text)), data, {}, Kept())
    merge.merge(data, new)
    assert merge.conflicts == []
    return merge.edits.apply()


def with_comments(random: Random, text: str, names: list[str]) -> tuple[str, list[str]]:
    """Return the text with comments in consumed operations of these names, and the comments."""
    layout = Layout(text)
    data = yaml.safe_load(text)
    starts = [
        layout.line_start(entry.start)
        for i, resource in enumerate(data["capability"]["consumes"][0]["resources"])
        for j, item in enumerate(resource["operations"])
        if item["name"] in names
        for entry in (
            layout.span(("capability", "consumes", 0, "resources", i, "operations", j)) or layout.root
        ).children
        if layout.is_first_on_line(entry.start)
    ]
    comments: list[str] = []
    for start in sorted(random.sample(starts, len(starts) // 2), reverse=True):
        comments.append(f"# <{len(comments)}>")
        text = f"{text[:start]}              {comments[-1]}\n{text[start:]}"
    return text, comments


def normal(value: Any) -> Any:
    """Return data without the order of items."""
    if isinstance(value, dict):
        return {key: normal(item) for key, item in value.items()}
    return sorted(map(normal, value), key=repr) if isinstance(value, list) else value


@pytest.mark.timeout(180)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=12, deadline=None)
def test_changes_of_different_operations_are_both_kept(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    random = Random(seed)
    folder = tmp_path_factory.mktemp("any")
    source, file, other = folder / "api.json", folder / "any.yaml", folder / "other.yaml"
    api = any_api(random)
    source.write_text(json.dumps(api))
    assert main(["import", "openapi", str(source), "-o", str(file)]) == 0
    numbers = random.sample(range(6), 6)
    edit = edit_capability(random, numbers[:3])
    text, comments = with_comments(
        random, with_edits(file.read_text(), edit), [f"do{number}" for number in numbers[:3]]
    )
    file.write_text(text)
    change_document(random, api, numbers[3:])
    source.write_text(json.dumps(api))
    assert main(["import", "openapi", str(source), "--update", str(file)]) == 0
    result = file.read_text()
    # The names of operations stay.
    for path in api["paths"].values():
        for found in path.values():
            found["operationId"] = found["operationId"].replace("other", "do")
    source.write_text(json.dumps(api))
    assert main(["import", "openapi", str(source), "-o", str(other)]) == 0
    expected = yaml.safe_load(other.read_text())
    edit(expected)
    assert normal(yaml.safe_load(result)) == normal(expected)
    assert [comment for comment in comments if result.count(comment) != 1] == []
    assert main(["import", "openapi", str(source), "--update", str(file)]) == 0
    assert file.read_text() == result
    assert Host(str(file), settings=Settings(environment={})).warnings == ()


@pytest.mark.timeout(180)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=12, deadline=None)
def test_edits_are_never_lost(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both sides change the same operations; the file keeps its edits, and can be served."""
    random = Random(seed)
    folder = tmp_path_factory.mktemp("any")
    source, file = folder / "api.json", folder / "any.yaml"
    api = any_api(random)
    source.write_text(json.dumps(api))
    assert main(["import", "openapi", str(source), "-o", str(file)]) == 0
    numbers = random.sample(range(6), 4)
    edit = edit_capability(random, numbers)
    text, comments = with_comments(random, with_edits(file.read_text(), edit), [f"do{number}" for number in numbers])
    file.write_text(text)
    change_document(random, api, numbers)
    source.write_text(json.dumps(api))
    assert main(["import", "openapi", str(source), "--update", str(file)]) in (0, 1)
    result = file.read_text()
    assert [comment for comment in comments if result.count(comment) != 1] == []
    for mine in ("Mine", "My route", "My words", "name: mine\n", "my-do", "also-do", "now-do", "8089"):
        assert result.count(mine) == text.count(mine)
    assert Host(str(file), settings=Settings(environment={})).warnings == ()
    assert main(["import", "openapi", str(source), "--update", str(file)]) == 0
    assert file.read_text() == result
