"""YAML 1.2 (core schema)."""

from __future__ import annotations

from typing import Any

import orjson

from adapter_host_http.conversions.conversion import Conversion

from .format import Format, FormatDeclaration


def compile_format(declared: FormatDeclaration) -> Format:
    """Compile YAML, which has no options."""
    return Format(declared.info, conversion=Conversion("yaml"), encode=to_yaml)


def to_yaml(data: Any) -> bytes:
    """Encode data as YAML; JSON is YAML already."""
    return orjson.dumps(data)
