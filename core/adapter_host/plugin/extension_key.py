"""Keys of plugins in a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapter_host.capability.model import Model


@dataclass(frozen=True, slots=True)
class ExtensionKey:
    """A key (`x-...`) that a plugin reads, where it may be set, and the model of its value, for editors."""

    name: str
    place: Literal["consumed API", "consumed operation", "exposer", "exposed operation"]
    model: type[Model]
