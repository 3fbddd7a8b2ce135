"""One operation at its method and path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from adapter_host import CatalogEntry, Input, Operation, Result

from .arguments import Extractor, place_of
from .config import RestOperationSpec, RestResource
from .declared_responses import Contract
from .router import Segment, show_path


@dataclass(frozen=True, slots=True)
class Route:
    """One operation at its method and path; `variables` are the inputs that the path's variables fill, in order."""

    resource: RestResource
    spec: RestOperationSpec
    operation: Operation
    segments: tuple[Segment, ...]
    variables: tuple[Input | None, ...]
    extractor: Extractor
    contract: Contract | None = None

    def media_type(self, result: Result) -> str:
        """What callers are told that a result is: as the operation declares, else its contract, else as it came."""
        if self.contract is None or self.operation.media_type is not None:
            return result.media_type
        return self.contract.media_type(result.status, result.media_type) or result.media_type

    @property
    def title(self) -> str:
        """What callers know it by: `GET /stations/{id}`."""
        return f"{self.spec.method} {show_path(self.segments)}"

    @property
    def demands(self) -> tuple[bool, int]:
        """How much a call asks for; the least is the simplest to try."""
        needed = [place for i, place in self.places() if i.required or place == "path"]
        return self.spec.method != "GET", len(needed)

    def places(self) -> Iterator[tuple[Input, str]]:
        """Each input with where a request carries it."""
        for source in self.operation.inputs:
            yield source, place_of(source, self.spec.method, self.variables)

    def offer(self) -> CatalogEntry:
        """What callers see of it."""
        inputs = [
            {
                "name": source.name,
                "in": place,
                "type": source.type,
                "required": source.required,
                "description": source.description,
            }
            for source, place in self.places()
        ]
        return CatalogEntry(self.title, self.operation, {"inputs": inputs})
