"""adapter-host: one declaration of an HTTP API, served over several protocols."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .access import PRINCIPAL
    from .adapters import ConsumedCall, ConsumedOperation, Consumer, Exposer, Forwarding, HttpExposer, Offer
    from .api import API_VERSION
    from .capability import (
        Authentication,
        Capability,
        ConsumerConfig,
        ExposerConfig,
        ForwardSpec,
        HttpExposerConfig,
        InputSpec,
        OperationSpec,
        OutputSpec,
        Semantics,
        StepSpec,
    )
    from .credentials import Principal
    from .curl import curl
    from .declaration import Declaration
    from .document.binds import BindSource
    from .document.words import suggest
    from .embedding import attach
    from .errors import (
        AdapterHostError,
        ArgumentError,
        BindError,
        InternalError,
        NotFoundError,
        OperationError,
        PluginError,
        Problem,
        ProblemsError,
        RefusedError,
        StartError,
        UnavailableError,
        UpstreamError,
        UpstreamInvalid,
        UpstreamStatus,
        UpstreamTimeout,
        UpstreamUnreachable,
    )
    from .exposure import Exposure
    from .gate import HeldStream
    from .hookspecs import RegisterBindSource, RegisterConsumer, RegisterExposer, RegisterStepType, hookimpl
    from .host import HOST, Host
    from .inputs import JSON_TYPES, Input
    from .location import LocatedFile, Location, guess_media_type, parse_location
    from .media import BinarySize, MediaType, parse_size
    from .model import ListOf, Model
    from .oauth2.issuer import is_secure, metadata_urls
    from .operation import Arguments, Call, HeaderWriter, Operation, Operations, Result
    from .places import is_loopback
    from .plugins import PluginInfo, Plugins
    from .problem_json import new_request_id, problem_response
    from .provision import Provision
    from .resolve import fold
    from .settings import Settings
    from .step_types import StepType
    from .streams import read_at_most
    from .template import ABSENT, Template, text_of
    from .tracing import TRACE_CONTEXT

__all__ = [
    "ABSENT",
    "API_VERSION",
    "HOST",
    "JSON_TYPES",
    "PRINCIPAL",
    "TRACE_CONTEXT",
    "AdapterHostError",
    "ArgumentError",
    "Arguments",
    "Authentication",
    "BinarySize",
    "BindError",
    "BindSource",
    "Call",
    "Capability",
    "ConsumedCall",
    "ConsumedOperation",
    "Consumer",
    "ConsumerConfig",
    "Declaration",
    "Exposer",
    "ExposerConfig",
    "Exposure",
    "ForwardSpec",
    "Forwarding",
    "HeaderWriter",
    "HeldStream",
    "Host",
    "HttpExposer",
    "HttpExposerConfig",
    "Input",
    "InputSpec",
    "InternalError",
    "ListOf",
    "LocatedFile",
    "Location",
    "MediaType",
    "Model",
    "NotFoundError",
    "Offer",
    "Operation",
    "OperationError",
    "OperationSpec",
    "Operations",
    "OutputSpec",
    "PluginError",
    "PluginInfo",
    "Plugins",
    "Principal",
    "Problem",
    "ProblemsError",
    "Provision",
    "RefusedError",
    "RegisterBindSource",
    "RegisterConsumer",
    "RegisterExposer",
    "RegisterStepType",
    "Result",
    "Semantics",
    "Settings",
    "StartError",
    "StepSpec",
    "StepType",
    "Template",
    "UnavailableError",
    "UpstreamError",
    "UpstreamInvalid",
    "UpstreamStatus",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "attach",
    "curl",
    "fold",
    "guess_media_type",
    "hookimpl",
    "is_loopback",
    "is_secure",
    "metadata_urls",
    "new_request_id",
    "parse_location",
    "parse_size",
    "problem_response",
    "read_at_most",
    "suggest",
    "text_of",
]

# Names are imported when they are asked for: who writes a plugin of models, or validates a document, needs no server.
_MODULES = {
    "ABSENT": "template",
    "API_VERSION": "api",
    "AdapterHostError": "errors",
    "ArgumentError": "errors",
    "Arguments": "operation",
    "Authentication": "capability",
    "BinarySize": "media",
    "BindError": "errors",
    "BindSource": "document.binds",
    "Call": "operation",
    "Capability": "capability",
    "ConsumedCall": "adapters",
    "ConsumedOperation": "adapters",
    "Consumer": "adapters",
    "ConsumerConfig": "capability",
    "Declaration": "declaration",
    "Exposer": "adapters",
    "ExposerConfig": "capability",
    "Exposure": "exposure",
    "ForwardSpec": "capability",
    "Forwarding": "adapters",
    "HOST": "host",
    "HeaderWriter": "operation",
    "HeldStream": "gate",
    "Host": "host",
    "HttpExposer": "adapters",
    "HttpExposerConfig": "capability",
    "Input": "inputs",
    "InputSpec": "capability",
    "InternalError": "errors",
    "JSON_TYPES": "inputs",
    "ListOf": "model",
    "LocatedFile": "location",
    "Location": "location",
    "MediaType": "media",
    "Model": "model",
    "NotFoundError": "errors",
    "Offer": "adapters",
    "Operation": "operation",
    "OperationError": "errors",
    "OperationSpec": "capability",
    "Operations": "operation",
    "OutputSpec": "capability",
    "PRINCIPAL": "access",
    "PluginError": "errors",
    "PluginInfo": "plugins",
    "Plugins": "plugins",
    "Principal": "credentials",
    "Problem": "errors",
    "ProblemsError": "errors",
    "Provision": "provision",
    "RefusedError": "errors",
    "RegisterBindSource": "hookspecs",
    "RegisterConsumer": "hookspecs",
    "RegisterExposer": "hookspecs",
    "RegisterStepType": "hookspecs",
    "Result": "operation",
    "Semantics": "capability",
    "Settings": "settings",
    "StartError": "errors",
    "StepSpec": "capability",
    "StepType": "step_types",
    "TRACE_CONTEXT": "tracing",
    "Template": "template",
    "UnavailableError": "errors",
    "UpstreamError": "errors",
    "UpstreamInvalid": "errors",
    "UpstreamStatus": "errors",
    "UpstreamTimeout": "errors",
    "UpstreamUnreachable": "errors",
    "attach": "embedding",
    "curl": "curl",
    "fold": "resolve",
    "guess_media_type": "location",
    "hookimpl": "hookspecs",
    "is_loopback": "places",
    "is_secure": "oauth2.issuer",
    "metadata_urls": "oauth2.issuer",
    "new_request_id": "problem_json",
    "parse_location": "location",
    "parse_size": "media",
    "problem_response": "problem_json",
    "read_at_most": "streams",
    "suggest": "document.words",
    "text_of": "template",
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value: object = getattr(_import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
