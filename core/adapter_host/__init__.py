"""adapter-host: one declaration of an HTTP API, served over several protocols."""

from .adapters import (
    ConsumedOperation,
    Consumer,
    Exposer,
    HttpExposer,
    Offer,
    Provision,
)
from .capability import (
    Authentication,
    Capability,
    ConsumerConfig,
    ExposerConfig,
    HttpExposerConfig,
    InputSpec,
    Model,
    OperationSpec,
    OutputSpec,
)
from .declaration import Declaration
from .errors import (
    AdapterHostError,
    ArgumentError,
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
from .hookspecs import RegisterConsumer, RegisterExposer, hookimpl
from .host import Exposure, Host, attach
from .inputs import Input
from .operation import Arguments, Call, Operation, Operations, Result
from .plugins import PluginInfo, Plugins
from .problem_json import new_request_id, problem_response
from .settings import Settings
from .template import ABSENT, Template

__all__ = [
    "ABSENT",
    "AdapterHostError",
    "ArgumentError",
    "Arguments",
    "Authentication",
    "Call",
    "Capability",
    "ConsumedOperation",
    "Consumer",
    "ConsumerConfig",
    "Declaration",
    "Exposer",
    "ExposerConfig",
    "Exposure",
    "Host",
    "HttpExposer",
    "HttpExposerConfig",
    "Input",
    "InputSpec",
    "InternalError",
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
    "Problem",
    "ProblemsError",
    "Provision",
    "RefusedError",
    "RegisterConsumer",
    "RegisterExposer",
    "Result",
    "Settings",
    "StartError",
    "Template",
    "UnavailableError",
    "UpstreamError",
    "UpstreamInvalid",
    "UpstreamStatus",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "attach",
    "hookimpl",
    "new_request_id",
    "problem_response",
]
