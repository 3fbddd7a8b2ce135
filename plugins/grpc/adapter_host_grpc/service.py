"""The service of an exposer: its methods and messages, compiled from its operations at build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapter_host import BuildContext, Operation, Operations, event_format

from .config import GrpcConfig, GrpcOperationSpec
from .model import BLANK, Field, Message, Method, ProtoFile, Type
from .names import UniqueNames, pascal_case, snake_case
from .schemas import NumberError, SchemaCompiler


class ServiceCompiler:
    """Compiles the operations of one exposer."""

    def __init__(self, config: GrpcConfig, context: BuildContext) -> None:
        package = config.package or snake_case(config.namespace, "service")
        service = config.service or pascal_case(config.namespace, "Service")
        self._config = config
        self._context = context
        self._names = UniqueNames()
        self._methods = UniqueNames()
        for reserved in (service, BLANK.name, *BLANK.constants):
            self._names.add(reserved)
        self.file = ProtoFile(package, service, config.description)
        self._inputs = SchemaCompiler(self.file, self._names, is_input=True)
        self._results = SchemaCompiler(self.file, self._names, is_input=False)

    def compile(self, operations: Operations) -> Iterator[tuple[Method, Operation]]:
        """Yield the operations with their methods, in the order of the document."""
        for spec in self._config.operations:
            # A name stays that of its operation when another one is left out.
            wanted = pascal_case(spec.known_as, "Method")
            name = self._methods.add(wanted)
            if name != wanted:
                message = f"method '{wanted}' is renamed to '{name}'; another method of this exposer has the same name"
                self._context.warn(message, spec, "name", code="renamed")
            if spec in operations:
                with self._context.section() as section:
                    method = self._method(name, spec, operations[spec])
                if not section.skipped and method is not None:
                    self.file.methods.append(method)
                    yield method, operations[spec]

    def _method(self, name: str, spec: GrpcOperationSpec, operation: Operation) -> Method | None:
        is_event_stream = event_format(operation.media_type or "") is not None
        streams = is_event_stream if spec.options.stream is None else spec.options.stream
        try:
            return Method(
                name=name,
                request=self._inputs.object(f"{name}Request", operation.input_schema, spec.options.numbers),
                response=self._response(f"{name}Response", spec, operation, streams=streams),
                streams=streams,
                description=operation.description,
            )
        except NumberError as error:
            self._context.problem(str(error), spec, "x-grpc", code="invalid-number")
            return None

    def _response(self, name: str, spec: GrpcOperationSpec, operation: Operation, *, streams: bool) -> Message:
        if operation.binary:
            content, media_type = Type("bytes"), Type("string")
            message = Message(self._names.add(name))
            message.fields += [
                Field("content", "content", 1, content),
                Field("media_type", "media_type", 2, media_type),
            ]
            self.file.messages.append(message)
            return message
        schema = _item_schema(operation) if streams else operation.output_schema or {}
        return self._results.result(name, schema, spec.options.result_numbers)


def _item_schema(operation: Operation) -> Mapping[str, Any]:
    """Return the schema of the items of a stream, or of the elements of a list."""
    schema = operation.output_schema
    if schema is None and operation.identity and len(operation.upstream) == 1:
        upstream = operation.upstream[0].output_schema
        schema = None if upstream is None else upstream.data
    items = schema.get("items") if schema is not None else None
    if schema is None or not isinstance(items, Mapping) or schema.get("type") not in ("array", ["array", "null"]):
        return schema or {}
    return {**items, **({"$defs": schema["$defs"]} if "$defs" in schema else {})}
