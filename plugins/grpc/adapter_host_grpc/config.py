"""Models of `type: grpc` under `exposes`."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final

from adapter_host import ListeningConfig, Model, OperationSpec
from pydantic import AfterValidator, Field

_PACKAGE: Final = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_SERVICE: Final = re.compile(r"[A-Z][A-Za-z0-9]*")


def _check_package(text: str) -> str:
    if not _PACKAGE.fullmatch(text):
        raise ValueError(
            "'package' must be words of lower-case letters, digits and _, joined by dots, such as acme.pets.v1"
        )
    return text


def _check_service(text: str) -> str:
    if not _SERVICE.fullmatch(text):
        raise ValueError("'service' must be an upper-case letter, then letters and digits, such as PetStore")
    return text


class GrpcOptions(Model):
    """The options of an operation: whether it streams, and pinned numbers of its fields by their names."""

    stream: bool | None = None
    numbers: dict[str, int] = Field(default_factory=dict)
    result_numbers: dict[str, int] = Field(default_factory=dict)


class GrpcOperationSpec(OperationSpec):
    """An operation as a method of the service."""

    reads_events: ClassVar[bool] = True

    options: GrpcOptions = Field(default_factory=GrpcOptions, alias="x-grpc")


class GrpcConfig(ListeningConfig):
    """An entry of `exposes` with `type: grpc`."""

    package: Annotated[str, AfterValidator(_check_package)] | None = None
    service: Annotated[str, AfterValidator(_check_service)] | None = None
    reflection: bool = True
    operations: tuple[GrpcOperationSpec, ...] = Field(min_length=1)
