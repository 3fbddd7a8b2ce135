"""Give the operations of all versions the names that the file has.

A person may have renamed a consumed API or an operation, and the API may have another operationId for one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter_host.openapi.names import UniqueNames

from .matching import same

Data = dict[str, Any]
OperationKey = tuple[str, str, str]
"""The namespace of a consumed API, the method and the path of an operation."""


@dataclass(slots=True)
class Names:
    """New names by old ones: of consumed APIs, and of operations by the name `namespace.operation`."""

    consumers: dict[str, str] = field(default_factory=dict)
    operations: dict[str, str] = field(default_factory=dict)

    def call(self, call: str) -> str:
        """Return the new name of an operation."""
        namespace, _, name = call.partition(".")
        return f"{self.consumers.get(namespace, namespace)}.{self.operations.get(call, name)}"

    def applied(self, capability: Data, *, exposed: bool) -> Data:
        """Return an imported capability with the new names; with `exposed`, also those of tools and routes."""
        section = capability["capability"]
        consumes = [self._consumer(consumer) for consumer in section["consumes"]]
        exposes = [self._exposer(exposer, exposed=exposed) for exposer in section["exposes"]]
        return {**capability, "capability": {**section, "consumes": consumes, "exposes": exposes}}

    def _consumer(self, consumer: Data) -> Data:
        namespace = consumer["namespace"]

        def renamed(operation: Data) -> Data:
            call = f"{namespace}.{operation['name']}"
            return {**operation, "name": self.operations.get(call, operation["name"])}

        resources = [{**item, "operations": list(map(renamed, item["operations"]))} for item in consumer["resources"]]
        return {**consumer, "namespace": self.consumers.get(namespace, namespace), "resources": resources}

    def _exposer(self, exposer: Data, *, exposed: bool) -> Data:
        def renamed(item: Data) -> Data:
            call = item["call"]
            name = {"name": self.operations[call]} if exposed and call in self.operations else {}
            return {**item, **name, "call": self.call(call)}

        if "tools" in exposer:
            return {**exposer, "tools": list(map(renamed, exposer["tools"]))}
        resources = [{**item, "operations": list(map(renamed, item["operations"]))} for item in exposer["resources"]]
        return {**exposer, "resources": resources}


def names_of_document(theirs: Data, base: Data, reserved: Collection[str] = ()) -> Names:
    """Return the names in `base` of the APIs and operations of a newer document; new ones are not in `reserved`."""
    names = Names()
    old = {consumer["namespace"]: consumer for consumer in base["capability"]["consumes"]}
    new = {consumer["namespace"]: consumer for consumer in theirs["capability"]["consumes"]}
    _match_consumers(names, new, old)
    known = {key: name for consumer in old.values() for key, name in operations_of(consumer)}
    found = {key: name for consumer in new.values() for key, name in operations_of(consumer)}
    there = {key: (names.consumers.get(key[0], key[0]), *key[1:]) for key in found}
    kept = {key: known[there[key]] for key in found if there[key] in known}
    gone = {name for key, name in known.items() if key not in there.values()}
    # With another path, it is still the same operation.
    kept |= {key: name for key, name in found.items() if key not in kept and name in gone}
    unique = UniqueNames({*kept.values(), *reserved})
    for key, name in found.items():
        wanted = kept[key] if key in kept else unique.add(name)
        if wanted != name:
            names.operations[f"{key[0]}.{name}"] = wanted
    return names


def _match_consumers(names: Names, new: Mapping[str, Data], old: Mapping[str, Data]) -> None:
    """Match the APIs with the same server and credentials, whose namespaces depend on their order."""
    left = dict(old)
    for namespace, consumer in new.items():
        for other, consumer_there in left.items():
            if all(same(consumer.get(key), consumer_there.get(key)) for key in ("baseUri", "authentication")):
                names.consumers[namespace] = other
                del left[other]
                break
    for namespace in new:
        if namespace not in names.consumers:
            unique = UniqueNames({*names.consumers.values(), *left})
            names.consumers[namespace] = namespace if namespace in left else unique.add(namespace)
            left.pop(namespace, None)
    names.consumers = {name: other for name, other in names.consumers.items() if name != other}


def names_of_file(mine: Any, base: Data) -> Names:
    """Return the names in an edited file of the APIs and operations of `base`."""
    names = Names()
    own = {str(item["namespace"]): item for item in consumers_of(mine) if "namespace" in item}
    old = {consumer["namespace"]: consumer for consumer in base["capability"]["consumes"]}
    lost = {name: item for name, item in old.items() if name not in own}
    added = {name: item for name, item in own.items() if name not in old}
    for name, consumer in lost.items():
        candidates = [other for other, item in added.items() if item.get("baseUri") == consumer["baseUri"]]
        candidates = candidates or (list(added) if len(lost) == len(added) == 1 else [])
        if len(candidates) == 1:
            names.consumers[name] = candidates[0]
            del added[candidates[0]]
    for name, consumer in old.items():
        there = own.get(names.consumers.get(name, name))
        if there is not None:
            _match_operations(names, name, dict(operations_of(consumer)), dict(operations_of(there)))
    return names


def _match_operations(
    names: Names, namespace: str, old: Mapping[OperationKey, str], own: Mapping[OperationKey, str]
) -> None:
    by_request = {key[1:]: name for key, name in own.items()}
    for (_, method, path), name in old.items():
        other = by_request.get((method, path))
        if other is not None and name not in own.values() and other not in old.values():
            names.operations[f"{namespace}.{name}"] = other


def consumers_of(capability: Any) -> list[Data]:
    """Return the consumed APIs of a capability, also of one that a person wrote."""
    return mappings(capability.get("capability"), "consumes")


def operations_of(consumer: Any) -> Iterator[tuple[OperationKey, str]]:
    """Yield the operations of a consumed API, also of one that a person wrote."""
    for resource in mappings(consumer, "resources"):
        for operation in mappings(resource, "operations"):
            if isinstance(operation.get("name"), str):
                path = f"{resource.get('path', '')}{operation.get('path', '')}"
                yield (str(consumer.get("namespace")), str(operation.get("method", "GET")), path), operation["name"]


def mappings(parent: Any, key: str) -> list[Data]:
    """Return the mappings in the list at a key; an empty list for other data."""
    items = parent.get(key) if isinstance(parent, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
