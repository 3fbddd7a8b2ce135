"""The YAML blocks of documentation pages as documents: named files, and fragments that are completed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

from .pages import blocks, write

WRONG = "wrong"
"""The mark of an invalid block; the next block has the expected problem."""

DISCOVERED = "discovered"
"""The mark of a block that consumes an API with definitions of its own; the tests of its plugin run it."""

_PARTS = frozenset({"aggregates", "binds", "consumes", "exposes"})
_SERVED_ALONE = {
    "type": "rest",
    "namespace": "frame",
    "port": 0,
    "resources": [{"path": "/", "operations": [{"method": "GET", "outputParameters": [{"value": "there"}]}]}],
}


def documents(page: Path, folder: Path) -> Iterator[Path | dict[str, Any]]:
    """Yield the documents of a page in order, with the files that they need in `folder`."""
    # Files in other languages (guides, scripts) exist from the start, wherever the page shows them.
    for block in blocks(page):
        if block.file and block.language != "yaml":
            write(block, folder)
    consumes = yaml.safe_load(blocks(ROOT / "plugins/http/README.md", "yaml")[0].text)["consumes"]
    for block in blocks(page, "yaml"):
        if block.mark in (WRONG, DISCOVERED):
            continue
        if block.file:
            path = write(block, folder)
            if "capability" in yaml.safe_load(path.read_text()):
                yield path
        else:
            data = yaml.safe_load(block.text)
            consumes = data.get("consumes") or consumes
            yield data if data.keys() & {"naftiko", "ikanos"} else _whole(data, consumes)


def mistakes(page: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the invalid files of a page, each with the expected problem."""
    for block, said in pairwise(blocks(page)):
        if block.mark == WRONG:
            yield write(block, folder), said.text


def _whole(data: Mapping[str, Any], consumes: Any) -> dict[str, Any]:
    """Return a complete document for a fragment; missing consumers come from the page or the http plugin."""
    assert data.keys() <= _PARTS
    calls = "'call'" in str(data) or "'targetNamespace'" in str(data)
    secrets = data if data.get("consumes") or not calls else [data, consumes]
    named = re.findall(r"\{\{(\w+)\.([A-Z_]+)\}\}", str(secrets))
    return {
        "naftiko": "1.0.0-alpha2",
        "binds": data.get("binds") or [{"namespace": bind, "keys": {key: key}} for bind, key in dict.fromkeys(named)],
        "capability": {
            "consumes": data.get("consumes") or (consumes if calls else None),
            "aggregates": data.get("aggregates"),
            "exposes": data.get("exposes") or [_SERVED_ALONE],
        },
    }
