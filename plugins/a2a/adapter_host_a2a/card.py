"""The agent card (A2A 1.0, section 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from adapter_host import Authentication, LoadedCapability

from .config import A2aConfig
from .skills import Skill

PROTOCOL_VERSION: Final = "1.0"

CARD_PATH: Final = "/.well-known/agent-card.json"

EXTENSION: Final = "https://github.example.org/adapter-host/adapter-host/blob/main/plugins/a2a/README.md#schemas"
"""The URI of the extension with the schemas of the skills."""

_JSON: Final = "application/json"


def build_card(config: A2aConfig, skills: Mapping[str, Skill], loaded: LoadedCapability) -> dict[str, Any]:
    """Return the card without its interfaces, which depend on the URL."""
    info = loaded.capability.info
    extension = {
        "uri": EXTENSION,
        "description": "The JSON Schemas of the arguments and results of the skills",
        "required": False,
        "params": {"skills": {skill.id: _schemas(skill) for skill in skills.values()}},
    }
    card: dict[str, Any] = {
        "name": loaded.capability.label,
        "description": config.description or info.description or loaded.capability.label,
        "version": info.version or version("adapter-host-a2a"),
        "capabilities": {
            "streaming": True,
            "pushNotifications": False,
            "extendedAgentCard": False,
            "extensions": [extension],
        },
        "defaultInputModes": [_JSON],
        "defaultOutputModes": [_JSON, "text/plain", "application/octet-stream"],
        "skills": [_describe(skill, config.namespace) for skill in skills.values()],
    }
    scheme = _security_scheme(config.authentication)
    if scheme is not None:
        card["securitySchemes"] = {"caller": scheme}
        card["securityRequirements"] = [{"schemes": {"caller": {"list": _scopes(config.authentication)}}}]
    return card


def with_interfaces(card: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return the card with the interfaces at `url`."""
    bindings = ("JSONRPC", "HTTP+JSON")
    interfaces = [{"url": url, "protocolBinding": binding, "protocolVersion": PROTOCOL_VERSION} for binding in bindings]
    return {**card, "supportedInterfaces": interfaces}


def _describe(skill: Skill, namespace: str) -> dict[str, Any]:
    spec, operation = skill.spec, skill.operation
    entry: dict[str, Any] = {
        "id": skill.id,
        "name": spec.label or skill.id,
        "description": operation.description or spec.label or skill.id,
        # The protocol requires one at least.
        "tags": list(spec.tags) or [namespace],
    }
    if spec.examples:
        entry["examples"] = list(spec.examples)
    if operation.binary and operation.media_type:
        entry["outputModes"] = [operation.media_type]
    return entry


def _schemas(skill: Skill) -> dict[str, Any]:
    schemas: dict[str, Any] = {"arguments": skill.operation.input_schema}
    if skill.operation.output_schema is not None:
        schemas["result"] = dict(skill.operation.output_schema)
    return schemas


def _security_scheme(authentication: Authentication | None) -> dict[str, Any] | None:
    if authentication is None:
        return None
    if authentication.type == "apikey":
        place = {"location": authentication.placement, "name": authentication.key or ""}
        return {"apiKeySecurityScheme": place}
    if authentication.type == "oauth2":
        issuer = authentication.authorization_server_uri or ""
        description = f"An access token of the OAuth 2.0 authorization server {issuer}"
        return {"httpAuthSecurityScheme": {"scheme": "Bearer", "description": description}}
    if authentication.type == "mutualtls":
        return {"mtlsSecurityScheme": {"description": "A certificate of the client"}}
    return {"httpAuthSecurityScheme": {"scheme": authentication.type.capitalize()}}


def _scopes(authentication: Authentication | None) -> list[str]:
    return list(authentication.scopes) if authentication is not None else []
