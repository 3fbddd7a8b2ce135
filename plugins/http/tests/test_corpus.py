"""Published documents: every consumed operation compiles, and its request reaches the mock server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter_host import Input

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
FILES = sorted(
    file
    for file in CORPUS.rglob("*.y*ml")
    if "shared" not in file.relative_to(CORPUS).parts and "naftiko:" in file.read_text(encoding="utf-8")
)
SAMPLES: dict[str | None, Any] = {
    "integer": 7,
    "number": 1.5,
    "boolean": True,
    "array": ["a", "b"],
    "object": {"a": {"b": [1]}},
}


def sample(given: Input) -> Any:
    return SAMPLES.get(given.type, "a/b c")


@pytest.mark.skipif(not FILES, reason=f"there is no {CORPUS}")
@pytest.mark.parametrize("file", FILES, ids=lambda file: "-".join(file.parts[-3:]))
async def test_every_consumed_operation_can_be_called(load: Any, file: Path) -> None:
    called = 0
    async with load(file, mock=True) as host:
        for operation in host.plans[0].consumed:
            everything = {given.name: sample(given) for given in operation.inputs if given.implicit}
            result = await operation.call(everything)
            assert result.status == 200
            if operation.description:
                assert operation.describe()["method"] == operation.method
            assert operation.preview(everything)["url"].startswith("http")
            called += 1
    assert called
