"""What the YAML blocks of pages are as documents: files by their names, and parts of documents, which are completed."""

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
"""The mark of a block that is a mistake; the next block is what is said of it."""

_PARTS = frozenset({"aggregates", "binds", "consumes", "exposes"})
_SERVED_ALONE = {
    "type": "rest",
    "namespace": "frame",
    "port": 0,
    "resources": [{"path": "/", "operations": [{"method": "GET", "outputParameters": [{"value": "there"}]}]}],
}


def documents(page: Path, folder: Path) -> Iterator[Path | dict[str, Any]]:
    """Yield the documents of a page, one after another, as somebody has them in `folder` who reads the page."""
    # What is no YAML (a guide, a script) is there from the beginning, wherever the page shows it.
    for block in blocks(page):
        if block.file and block.language != "yaml":
            write(block, folder)
    consumes = yaml.safe_load(blocks(ROOT / "plugins/http/README.md", "yaml")[0].text)["consumes"]
    for block in blocks(page, "yaml"):
        if block.mark == WRONG:
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
    """Yield the files of a page that are wrong, each with what the page says of it."""
    for block, said in pairwise(blocks(page)):
        if block.mark == WRONG:
            yield write(block, folder), said.text


def _whole(data: Mapping[str, Any], consumes: Any) -> dict[str, Any]:
    """Return a whole document around a part; missing consumers come from the page or the http plugin."""
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
