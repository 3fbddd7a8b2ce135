"""The page about scripts names the modules that they can import."""

from __future__ import annotations

import re

from adapter_host_scripting.python_syntax import ALLOWED_MODULES
from tests.support.paths import ROOT


def test_page_lists_the_available_modules() -> None:
    page = (ROOT / "docs" / "how-to" / "scripts.md").read_text()
    (listed,) = re.findall(r"imports of ((?:`\w+`(?:, )?)+)", page)
    assert re.findall(r"\w+", listed) == sorted(ALLOWED_MODULES)
