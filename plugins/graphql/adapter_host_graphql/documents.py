"""Documents of clients: parsed and validated once, and found again by their text or its hash."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)

from adapter_host import DaemonThreads

from .config import GraphqlConfig
from .errors import PARSE_FAILED, VALIDATION_FAILED, RequestError
from .limits import exceeded_limits
from .parameters import find_parameters, parameter_of

MAX_CACHED: Final = 1_000
"""The documents in the cache."""

MAX_CACHED_TOKENS: Final = 100_000
"""The tokens of all documents in the cache, which take about 1 KB each."""

_MAX_ERRORS: Final = 20
_SHORT: Final = 200
"""The bytes of a document that is validated in the event loop: a thread would take longer."""


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document."""

    ast: DocumentNode

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation with a name, or the only one; None if there is none."""
        found = [each for each in self.ast.definitions if isinstance(each, OperationDefinitionNode)]
        if name is not None:
            found = [each for each in found if each.name is not None and each.name.value == name]
        return found[0] if len(found) == 1 else None


class Documents:
    """Finds the documents of requests; `declared` are those of the persisted documents, by their ids."""

    def __init__(self, schema: GraphQLSchema, config: GraphqlConfig, declared: Mapping[str, str]) -> None:
        self.schema = schema
        self._config = config
        self._rules = [*specified_rules, *(() if config.introspection else (NoSchemaIntrospectionCustomRule,))]
        self._thread = DaemonThreads(1)
        self._cached: OrderedDict[str, Document] = OrderedDict()
        self._cached_tokens = 0
        compiled = {name: self.compile(text) for name, text in declared.items()}
        by_hash = {_hash(text): compiled[name] for name, text in declared.items()}
        # Clients name the hash with or without its algorithm.
        self._declared = {**by_hash, **{f"sha256:{key}": each for key, each in by_hash.items()}, **compiled}

    async def find(self, text: str | None, document_id: str | None, persisted_hash: str | None) -> Document:
        """Return the document of a request; raise `RequestError`.

        `document_id` is one of the declared documents; `persisted_hash` is that of an automatic persisted query.
        """
        if text is None:
            return self._find_persisted(document_id, persisted_hash)
        if len(text) > self._config.max_document_size or len(encoded := text.encode()) > self._config.max_document_size:
            message = f"the document must have at most {self._config.max_document_size} bytes"
            raise RequestError(GraphQLError(message), code=VALIDATION_FAILED)
        key = sha256(encoded).hexdigest()
        if persisted_hash is not None and persisted_hash != key:
            raise RequestError(GraphQLError("'sha256Hash' is not the SHA-256 of 'query'"))
        if (declared := self._declared.get(key)) is not None:
            return declared
        if self._config.only_persisted:
            message = "only persisted documents are allowed; send the 'documentId' of one"
            raise RequestError(GraphQLError(message), status=403, code="PERSISTED_DOCUMENT_REQUIRED")
        if (cached := self._cached.get(key)) is not None:
            self._cached.move_to_end(key)
            return cached
        compiled = self.compile(text) if len(encoded) <= _SHORT else await self._thread.run(self.compile, text)
        self._store(key, compiled)
        return compiled

    def _find_persisted(self, document_id: str | None, persisted_hash: str | None) -> Document:
        key = document_id or persisted_hash or ""
        document = self._declared.get(key)
        if document is None and persisted_hash is not None and self._config.automatic_persisted_queries:
            document = self._cached.get(persisted_hash)
        if document is not None:
            return document
        if document_id is None and self._config.automatic_persisted_queries and not self._config.only_persisted:
            # The message and the code of the clients that send the document again.
            raise RequestError(GraphQLError("PersistedQueryNotFound"), code="PERSISTED_QUERY_NOT_FOUND")
        raise RequestError(GraphQLError("unknown persisted document"), code="PERSISTED_DOCUMENT_NOT_FOUND")

    def _store(self, key: str, document: Document) -> None:
        replaced = self._cached.pop(key, None)
        self._cached[key] = document
        self._cached_tokens += document.ast.token_count - (0 if replaced is None else replaced.ast.token_count)
        while len(self._cached) > MAX_CACHED or self._cached_tokens > MAX_CACHED_TOKENS:
            _, oldest = self._cached.popitem(last=False)
            self._cached_tokens -= oldest.ast.token_count

    def compile(self, text: str) -> Document:
        """Parse and validate a document; raise `RequestError` with all mistakes."""
        config = self._config
        try:
            document = parse(
                text,
                max_tokens=config.max_tokens,
                max_comments=config.max_tokens,
                max_source_length=config.max_document_size,
            )
        except GraphQLError as error:
            raise RequestError(error, code=PARSE_FAILED) from None
        errors = exceeded_limits(document, self.schema, config) or validate(
            self.schema, document, self._rules, _MAX_ERRORS, hide_suggestions=not config.introspection
        )
        if errors:
            raise self.request_error(errors, document, VALIDATION_FAILED)
        return Document(document)

    def request_error(self, errors: list[GraphQLError], document: DocumentNode, code: str) -> RequestError:
        """Return the error of a request with the inputs that its errors are about."""
        found = find_parameters(errors, document, self.schema)
        for error in errors:
            error.extensions = {**(error.extensions or {}), **parameter_of(error, found)}
        return RequestError(*errors, code=code)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
