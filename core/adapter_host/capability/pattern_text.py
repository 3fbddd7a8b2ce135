"""Patterns of a document."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from adapter_host.expressions.pattern import compile_pattern


def _validate_pattern(text: str) -> str:
    compile_pattern(text)
    return text


PatternText = Annotated[str, AfterValidator(_validate_pattern)]
"""Field type for a regular expression of ECMA 262 that can be matched in linear time."""
