"""Settings of all test processes, which make them faster and change no result."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme

# Collecting the tests makes objects that live until the end, so there is no garbage to look for.
gc.disable()


def pytest_configure(config: pytest.Config) -> None:
    """Trust one authority that signs nothing: clients load all of the system's each time, and reach loopback only."""
    folder = TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    file = Path(folder.name) / "authorities.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    os.environ["SSL_CERT_FILE"] = str(file)


def pytest_collection_finish() -> None:
    """Leave the collected tests out of later garbage collections."""
    gc.collect()
    gc.freeze()
    gc.enable()
