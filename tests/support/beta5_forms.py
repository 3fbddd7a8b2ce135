"""Converts a document of 1.0.0-alpha2 to the forms of 1.0.0-beta5."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Data = Any
Change = Callable[[Data], Data]

NAMES = {"label": "display", "functions": "flows", "targetName": "target"}


def newer(document: Data) -> Data:
    """Return a complete document, or a file that others import from."""
    rest = {key: value for key, value in document.items() if key not in ("naftiko", "info", "capability")}
    info = {"info": renamed(document["info"])} if "info" in document else {}
    capability = {"capability": sections(document["capability"])} if "capability" in document else {}
    return {"ikanos": "1.0.0-beta5", **info, **sections(rest), **capability}


def sections(data: Data) -> Data:
    changes: Mapping[str, Change] = {"consumes": adapter, "exposes": adapter, "aggregates": aggregate}
    return {key: [changes.get(key, imported)(entry) for entry in value] for key, value in data.items()}


def imported(entry: Data) -> Data:
    return {"from" if key == "location" and "import" in entry else key: value for key, value in entry.items()}


def adapter(entry: Data) -> Data:
    if "import" in entry:
        return imported(entry)
    return changed(
        entry, inputParameters=by_name(), resources=by_name(resource), tools=by_name(unit), prompts=by_name(prompt),
        skills=by_name(lambda skill: changed(skill, tools=by_name())),
    )  # fmt: skip


def resource(entry: Data) -> Data:
    return unit(changed(entry, operations=by_name(unit)))


def prompt(entry: Data) -> Data:
    return renamed(changed(entry, arguments=by_name(renamed)))


def aggregate(entry: Data) -> Data:
    return imported(entry) if "import" in entry else renamed(changed(entry, functions=by_name(unit)))


def unit(entry: Data) -> Data:
    called = "call" in entry or ("method" in entry and "body" in entry)
    outputs = (lambda outputs: outputs) if called else outputs_by_name
    return renamed(
        changed(
            entry,
            inputParameters=by_name(),
            steps=by_name(),
            mappings=lambda mappings: [renamed(each) for each in mappings],
            outputParameters=outputs,
        )
    )


def outputs_by_name(outputs: Data) -> Data:
    """Return named outputs of steps and of constants; those of a call have no names."""
    if not all(isinstance(each, dict) and "name" in each for each in outputs):
        return outputs
    return by_name(lambda each: changed(each, items=items, properties=properties))(outputs)


def properties(value: Data) -> Data:
    return {name: changed(each, items=items, properties=properties) for name, each in value.items()}


def items(value: Data) -> Data:
    return outputs_by_name(value) if isinstance(value, list) else changed(value, items=items, properties=properties)


def by_name(change: Change = lambda entry: entry) -> Change:
    """Return a mapping by name from a list of entries; entries without a name get one."""

    def move(entries: Data) -> Data:
        moved = {}
        for index, entry in enumerate(entries):
            name = entry.get("name", f"item-{index + 1}")
            moved[name] = change({key: value for key, value in entry.items() if key != "name"})
        assert len(moved) == len(entries)
        return moved

    return move


def changed(entry: Data, **changes: Change) -> Data:
    return {key: changes[key](value) if key in changes else value for key, value in entry.items()}


def renamed(entry: Data) -> Data:
    return {NAMES.get(key, key): value for key, value in entry.items()}
