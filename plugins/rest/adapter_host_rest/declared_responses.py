"""Responses that a document declares for a route, by status and media type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adapter_host import BuildContext, Operation, bare_media_type

from .config import BinaryResponseSpec, ContentSpec, ResponseSpec, RestOperationSpec


@dataclass(frozen=True, slots=True)
class DeclaredResponses:
    """Declared responses; `binary_media_types` are the media types of bytes, by status (`200`, `2XX`).

    They document the route and set the media type of bytes. Responses are not validated against them.
    """

    responses: Mapping[str, ResponseSpec]
    binary_media_types: Mapping[str, tuple[str, ...]]

    def media_type(self, status: int, received: str) -> str | None:
        """Return the media type to send for bytes received as `received`; None if none is declared."""
        declared = self.binary_media_types.get(str(status)) or self.binary_media_types.get(f"{status // 100}XX")
        if not declared:
            return None
        return received if bare_media_type(received) in map(bare_media_type, declared) else declared[0]


def compile_declared_responses(
    spec: RestOperationSpec, operation: Operation, context: BuildContext
) -> DeclaredResponses | None:
    """Compile the declared responses of a route; None if there are none."""
    if spec.responses and spec.response_binary is not None:
        message = "'responses' and 'responseBinary' are mutually exclusive"
        context.problem(message, spec, "responseBinary", code="modes")
    responses = _expand_short_form(spec.response_binary) if spec.response_binary is not None else spec.responses
    if not responses:
        return None
    binary_media_types = {code: tuple(_binary_media_types(response)) for code, response in responses.items()}
    if any(binary_media_types.values()) and not operation.binary:
        _report_not_binary(spec, operation, context)
    return DeclaredResponses(
        responses, {code: media_types for code, media_types in binary_media_types.items() if media_types}
    )


def _expand_short_form(short: BinaryResponseSpec) -> dict[str, ResponseSpec]:
    content = {short.media_type: ContentSpec(binary=True)}
    return {str(short.status): ResponseSpec(description=short.description, content=content)}


def _binary_media_types(response: ResponseSpec) -> Iterator[str]:
    return (media_type for media_type, content in response.content.items() if content.binary)


def _report_not_binary(spec: RestOperationSpec, operation: Operation, context: BuildContext) -> None:
    key = "responses" if spec.response_binary is None else "responseBinary"
    upstream = [f"'{consumed.namespace}.{consumed.name}' has another format" for consumed in operation.upstream[-1:]]
    message = "a binary response needs a consumed operation with 'outputRawFormat: binary'"
    context.problem(f"{message}; {''.join(upstream) or 'this one calls none'}", spec, key, code="not-binary")
