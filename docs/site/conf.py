"""Sphinx configuration of the documentation site, which `make docs` builds from the repository's Markdown files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = PROJECT["urls"]["Source"]

project = "adapter-host"
author = "the authors of adapter-host"
version = release = PROJECT["version"]
html_title = f"adapter-host {version}"

extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "SECURITY.md", "docs/*.md", "docs/**/*.md", "plugins/*/README.md"]
exclude_patterns = [".*", "**/.*", "core", "dist", "tests", "plugins/*/tests", "plugins/*/adapter_host_*"]

myst_heading_anchors = 4
myst_linkify_fuzzy_links = False

html_theme = "furo"
html_theme_options = {
    "source_view_link": f"{REPOSITORY}/blob/main/{{filename}}",
    "source_edit_link": f"{REPOSITORY}/edit/main/{{filename}}",
}
templates_path = ["templates"]
html_additional_pages = {"index": "index.html"}
html_copy_source = False
html_show_copyright = False
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
pygments_style = "friendly"
pygments_dark_style = "github-dark"

CONTENTS = """

```{toctree}
:hidden:
:caption: Start

docs/tutorial
docs/explanation/alternatives
CHANGELOG
docs/upgrading
```

```{toctree}
:hidden:
:glob:
:caption: How-to guides

docs/how-to/openapi
docs/how-to/several-capabilities
docs/how-to/staging-and-mocks
docs/how-to/secrets
docs/how-to/authentication
docs/how-to/large-apis
docs/how-to/*
```

```{toctree}
:hidden:
:glob:
:caption: Reference

docs/reference/cli
docs/reference/language
docs/reference/errors
docs/reference/api
docs/reference/hooks
docs/reference/**
```

```{toctree}
:hidden:
:glob:
:caption: Plugins

plugins/*/README
```

```{toctree}
:hidden:
:glob:
:caption: Explanation

docs/explanation
docs/explanation/security
docs/explanation/performance
docs/explanation/*
SECURITY
```

```{toctree}
:hidden:
:glob:
:caption: For developers

docs/writing-a-plugin
docs/embedding
docs/contributing
docs/STYLE
docs/contributing/*
```
"""
"""The navigation; it is not in the README, since other viewers of Markdown would show it as code."""

LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def prepare(app: Sphinx, name: str, source: list[str]) -> None:
    """Add the navigation to the first page, and let links to files that are no pages lead to the repository."""
    text = source[0] + CONTENTS if name == root_doc else source[0]
    folder = app.env.doc2path(name).parent

    def replace(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        is_page = target.suffix == ".md" and app.env.path2doc(target) in app.env.found_docs
        if is_page or target.suffix in (".png", ".svg") or not target.exists() or not target.is_relative_to(ROOT):
            return match[0]
        return f"]({REPOSITORY}/blob/main/{target.relative_to(ROOT).as_posix()}{match[2] or ''})"

    source[0] = LINK.sub(replace, text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register `prepare`."""
    app.connect("source-read", prepare)
    return {"parallel_read_safe": True}
