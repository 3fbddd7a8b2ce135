"""Update the text of a capability by a newer version of the document that it was imported from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.document.messages import format_value
from adapter_host.document.nodes import Loc
from adapter_host.document.source import Source
from adapter_host.document.text.edits import TextEdits
from adapter_host.document.text.layout import Layout
from adapter_host.errors import AdapterHostError, Problem
from adapter_host.openapi.model import Api, Place
from adapter_host.openapi.schema.json_schema import SHARED

from .matching import same
from .merge import Conflict, Kept, Merge, Reason
from .names import Names, consumers_of, names_of_document, names_of_file, operations_of
from .record import Options, Record

_REFERENCE: Final = f"#/{SHARED}/"
_MAX_PASSES: Final = 50
_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Update:
    """The new text of a capability, the number of changes, and the conflicts; its record says what was imported.

    Conflicts that need a person are errors, the others are warnings.
    """

    text: str
    changes: int
    problems: tuple[Problem, ...]
    record: Record


def make_record(api: Api, text: str, source: str, options: Options) -> Record:
    """Return the record of an import that wrote `text`."""
    operations = {f"{item.consumer}.{item.name}": item.place.pointer for item in api.endpoints}
    schemas = {name: place.pointer for name, place in api.schema_places.items()}
    return Record(source, options, Source.parse(text, source).data, operations, schemas)


def update_capability(source: Source, text: str, record: Record, newer: Record, api: Api) -> Update:
    """Return the update of a capability file by a newer import of its document; raise `AdapterHostError`.

    `record` is that of the import before the file was edited.
    """
    has_mark = text.startswith(_BOM)
    layout = Layout(text.removeprefix(_BOM))
    in_file = names_of_file(source.data, dict(record.capability))
    own = _own_names(source.data, record)
    in_document = names_of_document(dict(newer.capability), dict(record.capability), own)
    base = in_file.applied(dict(record.capability), exposed=False)
    renamed = in_document.applied(dict(newer.capability), exposed=True)
    theirs = in_file.applied(renamed, exposed=False)
    places = {
        **_places(base, _pointers(record, newer.source), Place((newer.source, 0, 0), "#")),
        **_places(theirs, _known_places(api, in_document, in_file), Place((newer.source, 0, 0), "#")),
    }
    merge, merged = _merge(layout, source, base, theirs, places)
    result = merge.edits.apply()
    written = Source.parse(result, source.file)
    if not same(written.data, merged):
        raise AdapterHostError(f"cannot write '{source.file}' with the changes; import the document into another file")
    problems = [*_renamings(in_document, api, record), *(_problem(source, conflict) for conflict in merge.conflicts)]
    kept = Record(
        newer.source,
        newer.options,
        in_document.applied(dict(newer.capability), exposed=True),
        {in_document.call(call): pointer for call, pointer in newer.operations.items()},
        newer.schemas,
        {in_document.call(call): call.partition(".")[2] for call in in_document.operations},
    )
    return Update((_BOM if has_mark else "") + result, merge.changes, tuple(problems), kept)


def _own_names(mine: Any, record: Record) -> set[str]:
    """Return the names of operations that a person has added."""
    names = {name for consumer in consumers_of(mine) for _, name in operations_of(consumer)}
    return names - {call.partition(".")[2] for call in record.operations}


def _merge(layout: Layout, source: Source, base: Any, theirs: Any, places: Mapping[int, Place]) -> tuple[Merge, Any]:
    """Merge until no reference leads nowhere because of the merge."""
    kept = Kept()
    for _ in range(_MAX_PASSES):
        merge = Merge(TextEdits(layout), source.data, places, kept)
        merged = merge.merge(base, theirs)
        needed = _needed(source.data, merged, theirs, kept)
        if needed == kept:
            break
        kept = needed
    return merge, merged


def _needed(mine: Any, merged: Any, theirs: Any, kept: Kept) -> Kept:
    calls = set(_texts(merged, "call"))
    operations = {call for call in calls & _operations(mine) if call not in _operations(merged)}
    schemas = _schemas(merged)
    references = _reachable(merged, {**_schemas(theirs), **_schemas(mine), **schemas})
    missing = references - schemas.keys()
    added = schemas.keys() - _schemas(mine).keys()
    return Kept(
        operations={*kept.operations, *operations},
        schemas={*kept.schemas, *(missing & _schemas(mine).keys())},
        restored={*kept.restored, *(missing - _schemas(mine).keys() & _schemas(theirs).keys())},
        unused={name for name in {*kept.unused, *added} if name not in references},
    )


def _reachable(merged: Any, schemas: Mapping[str, Any]) -> set[str]:
    """Return the shared schemas that the capability refers to, also from one another."""
    found: set[str] = set()
    remaining = list(_references({key: item for key, item in merged.items() if key != SHARED}))
    while remaining:
        name = remaining.pop()
        if name not in found:
            found.add(name)
            remaining += _references(schemas.get(name))
    return found


def _references(data: Any) -> Iterator[str]:
    return (text.removeprefix(_REFERENCE) for text in _texts(data, "$ref") if text.startswith(_REFERENCE))


def _texts(data: Any, key: str) -> Iterator[str]:
    """Yield the texts at all keys of a name."""
    if isinstance(data, dict):
        if isinstance(data.get(key), str):
            yield data[key]
        for item in data.values():
            yield from _texts(item, key)
    elif isinstance(data, list):
        for item in data:
            yield from _texts(item, key)


def _schemas(data: Any) -> dict[str, Any]:
    schemas = data.get(SHARED)
    return schemas if isinstance(schemas, dict) else {}


def _operations(data: Any) -> set[str]:
    return {
        f"{consumer.get('namespace')}.{name}" for consumer in consumers_of(data) for _, name in operations_of(consumer)
    }


def _pointers(record: Record, source: str) -> dict[str, Place]:
    """Return the places of operations and schemas that the document had, without lines."""
    pointers = {**record.operations, **{_REFERENCE + name: pointer for name, pointer in record.schemas.items()}}
    return {name: Place((source, 0, 0), pointer) for name, pointer in pointers.items()}


def _known_places(api: Api, in_document: Names, in_file: Names) -> dict[str, Place]:
    places = {in_file.call(in_document.call(f"{item.consumer}.{item.name}")): item.place for item in api.endpoints}
    return places | {_REFERENCE + name: place for name, place in api.schema_places.items()}


def _places(data: Any, known: Mapping[str, Place], root: Place) -> dict[int, Place]:
    """Return the places in the document by the identity of parts of a capability."""
    places = {id(data): root, id(data["info"]): Place(root.position, "#/info")}
    for consumer in data["capability"]["consumes"]:
        for resource in consumer["resources"]:
            for operation in resource["operations"]:
                places[id(operation)] = known.get(f"{consumer['namespace']}.{operation['name']}", root)
    for exposer in data["capability"]["exposes"]:
        for item in (exposer, *exposer.get("resources", ())):
            for exposed in (*item.get("operations", ()), *item.get("tools", ())):
                places[id(exposed)] = known.get(exposed["call"], root)
    places |= {id(schema): known.get(_REFERENCE + name, root) for name, schema in _schemas(data).items()}
    return places


def _renamings(in_document: Names, api: Api, record: Record) -> Iterator[Problem]:
    """Yield a warning for each operation that has another operationId since the last import; its name stays."""
    places = {f"{item.consumer}.{item.name}": item.place for item in api.endpoints}
    for call, name in in_document.operations.items():
        place, there = places[call], call.partition(".")[2]
        if record.names.get(in_document.call(call)) == there:
            continue
        message = f"{place.pointer}: it would be named '{there}' now; it keeps the name '{name}'"
        yield Problem(message, *place.position, code="name", warning=True)


def _problem(source: Source, conflict: Conflict) -> Problem:
    """Return a conflict with its place in the file and that in the document."""
    there = _described(conflict.place)
    label = format_value(_label(source.data, conflict))
    theirs = conflict.theirs
    value = f" to {format_value(theirs)}" if isinstance(theirs, str | int | float | bool) else ""
    detail = f", but {conflict.detail} here" if conflict.detail else ""
    gone = f"removed from the document (at {there})"
    message = {
        Reason.CHANGED: f"{label} was changed here, and{value} at {there}; it stays as it is here",
        Reason.REMOVED_THERE: f"{label} was changed here, and {gone}; it stays",
        Reason.REMOVED_HERE: f"{label} was removed here, and changed at {there}; it stays removed",
        Reason.STILL_USED: f"{label} was {gone}, but is used here; it stays",
        Reason.NOT_REMOVED: f"{label} was {gone}{detail}; it stays",
        Reason.NOT_WRITTEN: f"{label} was changed{value} at {there}{detail}; it stays as it is here",
    }[conflict.reason]
    is_removal = conflict.reason is Reason.REMOVED_HERE
    loc = conflict.loc[:-1] if is_removal else conflict.loc
    return source.problem(loc, message, code="conflict", warning=is_removal, key=True)


def _described(place: Place) -> str:
    file, line, column = place.position
    return f"{file}:{line}:{column} ({place.pointer})" if line else f"{file} ({place.pointer})"


def _label(data: Any, conflict: Conflict) -> Any:
    """Return the key of a place, or the name of an item."""
    key = conflict.loc[-1] if conflict.loc else "capability"
    if isinstance(key, str):
        return key
    item: Any = conflict.theirs
    if conflict.reason is not Reason.REMOVED_HERE:
        item = _item(data, conflict.loc)
    if isinstance(item, dict):
        return next((item[name] for name in ("name", "path", "call", "namespace") if name in item), str(key))
    return item if isinstance(item, str | int | float | bool) else str(key)


def _item(data: Any, loc: Loc) -> Any:
    for key in loc:
        data = data[key]
    return data
