"""Models of `type: graphql`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adapter_host import HttpExposerConfig, ListField, Model, OperationSpec

Kind = Literal["query", "mutation"]


class GraphqlOperationSpec(OperationSpec):
    """An operation exposed as a field of `Query` or `Mutation`; without `kind`, its effects decide.

    `deprecated` is the reason that clients see.
    """

    kind: Kind | None = None
    deprecated: str | None = None


class PersistedDocumentsSpec(Model):
    """Documents that clients request by id: a JSON object of ids and documents; with `only`, no others run."""

    location: str
    only: bool = True


class GraphqlConfig(HttpExposerConfig):
    """An entry of `exposes` with `type: graphql`; the limits hold for each document of a client.

    `max_document_size` is in bytes. `max_complexity` is the sum of the costs of all fields, see `limits`.
    """

    operations: ListField[GraphqlOperationSpec] = ()
    introspection: bool = True
    max_depth: int = Field(15, ge=1, le=100)
    max_complexity: int = Field(5_000, ge=1, le=1_000_000)
    max_aliases: int = Field(30, ge=0, le=1_000)
    max_tokens: int = Field(2_000, ge=10, le=10_000)
    max_document_size: int = Field(100_000, ge=10, le=1_000_000)
    automatic_persisted_queries: bool = True
    persisted_documents: PersistedDocumentsSpec | None = None

    @property
    def only_persisted(self) -> bool:
        """Whether only the declared documents run."""
        return self.persisted_documents is not None and self.persisted_documents.only
