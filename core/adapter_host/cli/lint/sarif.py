"""Findings as SARIF 2.1.0 (OASIS), for code scanning."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from adapter_host.cli.examples import documentation_url

from .rules import RULES, Finding

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT: Final = "placeInDocument/v1"


def to_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return a log with one run."""
    rules = list(RULES)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, rules.index(finding.rule.id)) for finding in findings],
            }
        ],
    }


def _driver() -> dict[str, Any]:
    homepage = documentation_url()
    return {
        "name": "adapter-host",
        "version": metadata.version("adapter-host-core"),
        **({"informationUri": homepage} if homepage else {}),
        "rules": [
            {
                "id": rule.id,
                "shortDescription": {"text": rule.summary},
                **({"helpUri": f"{homepage}/reference/lint.md#{rule.id}"} if homepage else {}),
                "defaultConfiguration": {"level": rule.level, "enabled": rule.enabled},
            }
            for rule in RULES.values()
        ],
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    file, line, column = finding.position
    region = {"region": {"startLine": line, "startColumn": max(column, 1)}} if line else {}
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": finding.rule.level,
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(file)}, **region}}] if file else [],
        "partialFingerprints": {_FINGERPRINT: _fingerprint((finding.rule.id, file, *finding.loc))},
    }
    return {**result, "suppressions": [{"kind": "inSource"}]} if finding.is_suppressed else result


def _uri(file: str) -> str:
    """Return a relative path as a relative reference, and an absolute one as a URI (RFC 3986)."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _fingerprint(parts: Iterable[str | int]) -> str:
    """Return a digest that stays when lines are added before the place."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]
