"""How HTTP requests carry the value of an input, in the words of OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Style = Literal["form", "spaceDelimited", "pipeDelimited", "deepObject", "simple", "label", "matrix", "cookie"]
"""The styles of parameters (OpenAPI 3.1, section 4.8.12.3; `cookie` is of 3.2)."""

STYLES: Final[Mapping[str, tuple[Style, ...]]] = {
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "path": ("simple", "label", "matrix"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
}
"""The styles of each location, its default first."""


@dataclass(frozen=True, slots=True)
class WireFormat:
    """The name, style and media type of an input in a request.

    A `name` of None is the input's own. Without a `style` and a `content_type`, an array or an object has the format
    of an input for which a document declares neither. A `content_type` makes the value one text of this media type;
    of a `binary` input, whose arguments are base64 text, it is that of the bytes.
    """

    name: str | None = None
    style: Style | None = None
    explode: bool = False
    allow_reserved: bool = False
    content_type: str | None = None
    binary: bool = False

    def described(self) -> dict[str, Any]:
        """Return the style in the words of OpenAPI; empty without one."""
        if self.style is None:
            return {}
        reserved = {"allowReserved": True} if self.allow_reserved else {}
        return {"style": self.style, "explode": self.explode, **reserved}


def explodes_by_default(style: Style) -> bool:
    """Return the `explode` of a style that declares none."""
    return style in ("form", "deepObject", "cookie")
