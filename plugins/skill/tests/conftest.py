from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from multidict import CIMultiDictProxy
from yarl import URL

from adapter_host import Host
from adapter_host.testing import running


@dataclass
class Response:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def data(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class SkillClient:
    """A client of a served skill exposer."""

    url: str
    host: Host
    session: ClientSession

    async def __call__(self, path: str, method: str = "GET", **sent: Any) -> Response:
        async with self.session.request(method, URL(self.url + path, encoded=True), **sent) as response:
            return Response(response.status, response.headers, await response.read())


Serve = Callable[..., AbstractAsyncContextManager[SkillClient]]
Document = Callable[..., dict[str, Any]]

SOURCES = [
    {
        "type": "mcp",
        "namespace": "tools",
        "port": 9090,
        "tools": [
            {"name": "find", "description": "Finds", "call": "up.find"},
            {"label": "Search", "description": "Searches", "call": "up.search"},
        ],
        "resources": [{"name": "map", "label": "Map", "uri": "a:map", "description": "A map", "call": "up.find"}],
    },
    {
        "type": "rest",
        "namespace": "api",
        "port": 8080,
        "resources": [
            {"path": "/a", "operations": [{"method": "GET", "name": "read", "call": "up.find"}]},
            {"path": "/b", "operations": [{"method": "GET", "call": "up.search"}]},
        ],
    },
]


def _document(*skills: dict[str, Any], **keys: Any) -> dict[str, Any]:
    consumed = [{"name": name} for name in ("find", "search")]
    exposed = {"type": "skill", "namespace": "catalogue", "port": 8090, "skills": list(skills), **keys}
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [{"type": "fake", "namespace": "up", "operations": consumed}],
            "exposes": [exposed, *deepcopy(SOURCES)],
        },
    }


@pytest.fixture
def document() -> Document:
    return _document


@pytest.fixture
def serve() -> Serve:
    @asynccontextmanager
    async def serving(*skills: dict[str, Any], settings: Any = None, **keys: Any) -> AsyncIterator[SkillClient]:
        async with running(_document(*skills, **keys), **settings or {}) as host, ClientSession() as session:
            yield SkillClient(host.url("catalogue"), host.host, session)

    return serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create the folder of a skill, with files in and around it that must not be served."""
    root = tmp_path / "sowing"
    texts = {
        "SKILL.md": "---\nname: sowing\n---\n",
        "references/beds.md": "# Beds é\n",
        "scripts/plan.py": "print()\n",
        "LICENSE": "CC0\n",
        "page.html": "<script>alert(1)</script>",
        ".env": "SECRET=1",
        ".git/config": "secret",
        "references/.draft.md": "secret",
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    (root / "latin.txt").write_bytes(b"\xe9")
    (root / "scripts/plan.py").chmod(0o755)
    (tmp_path / "outside.md").write_text("secret")
    (root / "out.md").symlink_to(tmp_path / "outside.md")
    (root / "out").symlink_to(tmp_path)
    return root
