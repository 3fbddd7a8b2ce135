"""The short form of the faults: one round of all, with real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.redis_server import BINARY

from . import chaos
from .cluster import NGINX

pytestmark = [pytest.mark.early, pytest.mark.timeout(180)]


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")
@pytest.mark.skipif(BINARY is None, reason="redis-server is not installed (Debian: apt-get install redis-server)")
async def test_faults_of_replicas_and_store(tmp_path: Path) -> None:
    report = await chaos.run(tmp_path, size=2, pause=0.05)
    assert report.violations() == [], str(report)
