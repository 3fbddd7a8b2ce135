"""Renders an OpenAPI document as the content of a page to read, without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from .fields import schema_html, type_and_limits

Data = Mapping[str, Any]

_UNTAGGED: Final = "Operations"


def render_document(document: Data, link: str) -> str:
    """Return the content of the page as HTML; `link` is the URL of the document."""
    info = document["info"]
    return "".join(
        [
            "<header>",
            f"<h1>{escape(info['title'])}</h1>",
            f"<p>Version {escape(info['version'])} · at {_servers(document)} · ",
            f"<a href='{escape(link)}'>OpenAPI {escape(document['openapi'])}</a></p>",
            _text(info.get("description")),
            _security(document),
            "</header><main>",
            *_sections(document),
            "</main>",
        ]
    )


def _text(text: str | None) -> str:
    return f"<p class='text'>{escape(text)}</p>" if text else ""


def _servers(document: Data) -> str:
    return ", ".join(f"<code>{escape(server['url'])}</code>" for server in document["servers"])


def _security(document: Data) -> str:
    schemes = document["components"].get("securitySchemes", {}).values()
    return "".join(f"<p>Authentication: {_scheme(each)}</p>" for each in schemes)


def _scheme(scheme: Data) -> str:
    if scheme["type"] == "apiKey":
        return f"an API key in the {escape(scheme['in'])} <code>{escape(scheme['name'])}</code>"
    description = scheme.get("description")
    return f"HTTP {escape(scheme['scheme'])}{f' ({escape(description)})' if description else ''}"


def _sections(document: Data) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, entry in document["paths"].items():
        for method, operation in entry.items():
            tag = next(iter(operation.get("tags", ())), _UNTAGGED)
            by_tag.setdefault(tag, []).append(_operation(document, method, path, operation))
    for tag, operations in by_tag.items():
        yield f"<section><h2>{escape(tag)}</h2>{''.join(operations)}</section>"
    if shared := {name: each for name, each in document["components"]["schemas"].items() if name != "Problem"}:
        rows = "".join(
            f"<details><summary>{escape(name)}</summary><div>{schema_html(each, shared)}</div></details>"
            for name, each in shared.items()
        )
        yield f"<section><h2>Schemas</h2>{rows}</section>"


def _operation(document: Data, method: str, path: str, operation: Data) -> str:
    summary = operation.get("summary") or (operation.get("description") or "").partition("\n")[0]
    return "".join(
        [
            f"<details id='{escape(operation['operationId'])}'><summary>",
            f"<span class='method {method}'>{method.upper()}</span>",
            f"<span class='path'>{escape(path)}</span><span class='gist'>{escape(summary)}</span></summary><div>",
            _text(operation.get("description")),
            _parameters(operation.get("parameters", ())),
            _body(document, operation.get("requestBody")),
            _responses(document, operation["responses"]),
            "</div></details>",
        ]
    )


def _parameters(parameters: Sequence[Data]) -> str:
    rows = [
        (
            f"<code>{escape(each['name'])}</code>{'' if each.get('required') else ' (optional)'}",
            escape(each["in"]),
            escape(_type(each)),
            f"<span class='text'>{escape(each.get('description', ''))}</span>",
        )
        for each in parameters
    ]
    return f"<h3>Parameters</h3>{_table(('Name', 'In', 'Type', ''), rows)}" if rows else ""


def _type(parameter: Data) -> str:
    schema = parameter.get("schema")
    if schema is not None:
        return type_and_limits(schema)
    return "".join(f"{type_and_limits(content['schema'])} ({name})" for name, content in parameter["content"].items())


def _body(document: Data, body: Data | None) -> str:
    if body is None:
        return ""
    optional = "" if body.get("required") else " (optional)"
    return f"<h3>Body{optional}</h3>{_text(body.get('description'))}{_content(document, body['content'])}"


def _content(document: Data, content: Data) -> str:
    schemas = document["components"]["schemas"]
    return "".join(
        f"<p><code>{escape(name)}</code></p>{schema_html(each.get('schema'), schemas)}"
        for name, each in content.items()
    )


def _responses(document: Data, responses: Data) -> str:
    rows, schemas = [], ""
    for code, response in responses.items():
        resolved = _resolved(document, response)
        content = resolved.get("content", {})
        rows.append((f"<code>{escape(code)}</code>", escape(resolved["description"]), escape(", ".join(content))))
        if resolved is response:
            schemas += "".join(
                schema_html(each.get("schema"), document["components"]["schemas"]) for each in content.values()
            )
    return f"<h3>Responses</h3>{_table(('Status', '', 'Content'), rows)}{schemas}"


def _resolved(document: Data, response: Data) -> Data:
    if "$ref" not in response:
        return response
    resolved: Data = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return resolved


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = "".join(f"<th scope='col'>{each}</th>" for each in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class='scroll'><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
