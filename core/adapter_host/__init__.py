"""adapter-host: one declaration of an HTTP API, served over several protocols."""

from .adapters import (
    ConsumedCall,
    ConsumedOperation,
    Consumer,
    Exposer,
    Forwarding,
    HttpExposer,
    Offer,
    Provision,
)
from .api import API_VERSION
from .capability import (
    Authentication,
    Capability,
    ConsumerConfig,
    ExposerConfig,
    ForwardSpec,
    HttpExposerConfig,
    InputSpec,
    ListOf,
    Model,
    OperationSpec,
    OutputSpec,
    Semantics,
    StepSpec,
)
from .credentials import PRINCIPAL, Principal
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
from .hookspecs import RegisterBindSource, RegisterConsumer, RegisterExposer, hookimpl
from .host import HOST, Host
from .inputs import JSON_TYPES, Input
from .location import LocatedFile, Location, guess_media_type
from .media import BinarySize, MediaType, parse_size
from .oauth2.issuer import is_secure, metadata_urls
from .operation import Arguments, Call, HeaderWriter, Operation, Operations, Result
from .places import is_loopback
from .plugins import PluginInfo, Plugins
from .problem_json import new_request_id, problem_response
from .resolve import fold
from .settings import Settings
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
    "Result",
    "Semantics",
    "Settings",
    "StartError",
    "StepSpec",
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
    "parse_size",
    "problem_response",
    "read_at_most",
    "suggest",
    "text_of",
]
