"""adapter-host: one declaration of an HTTP API, served over several protocols."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .auth.oauth2.metadata import is_secure as is_secure
    from .auth.oauth2.metadata import metadata_urls as metadata_urls
    from .auth.upstream.authorizer import Authorizer as Authorizer
    from .auth.upstream.compile import compile_upstream_credential as compile_upstream_credential
    from .auth.upstream.credential import AUTHORIZATION as AUTHORIZATION
    from .auth.upstream.credential import AuthFlow as AuthFlow
    from .auth.upstream.credential import AuthTransport as AuthTransport
    from .auth.upstream.credential import UpstreamCredential as UpstreamCredential
    from .auth.upstream.mock import MockAuthenticator as MockAuthenticator
    from .auth.upstream.mock import mock_authenticator as mock_authenticator
    from .binds.binds import BindSource as BindSource
    from .capability.client_tls_spec import ClientTlsSpec as ClientTlsSpec
    from .capability.diagnostics import Section as Section
    from .capability.include_spec import IncludeSpec as IncludeSpec
    from .capability.include_spec import IncludingConfig as IncludingConfig
    from .capability.include_spec import SelectionSpec as SelectionSpec
    from .capability.include_spec import hints_of_annotations as hints_of_annotations
    from .capability.input_constraints import InputConstraints as InputConstraints
    from .capability.loaded import LoadedCapability as LoadedCapability
    from .capability.media_types import BinarySize as BinarySize
    from .capability.media_types import MediaType as MediaType
    from .capability.media_types import is_json as is_json
    from .capability.media_types import parse_size as parse_size
    from .capability.model import ListField as ListField
    from .capability.model import Model as Model
    from .capability.pagination_spec import PAGINATION as PAGINATION
    from .capability.pagination_spec import PageSizeSpec as PageSizeSpec
    from .capability.pagination_spec import PaginationSpec as PaginationSpec
    from .capability.pattern_text import PatternText as PatternText
    from .capability.spec import AggregateSpec as AggregateSpec
    from .capability.spec import Authentication as Authentication
    from .capability.spec import Bind as Bind
    from .capability.spec import Capability as Capability
    from .capability.spec import ConsumerConfig as ConsumerConfig
    from .capability.spec import ExposerConfig as ExposerConfig
    from .capability.spec import ForwardSpec as ForwardSpec
    from .capability.spec import FunctionInputSpec as FunctionInputSpec
    from .capability.spec import FunctionSpec as FunctionSpec
    from .capability.spec import HttpExposerConfig as HttpExposerConfig
    from .capability.spec import Info as Info
    from .capability.spec import InputSpec as InputSpec
    from .capability.spec import ListeningConfig as ListeningConfig
    from .capability.spec import MappingSpec as MappingSpec
    from .capability.spec import OperationSpec as OperationSpec
    from .capability.spec import OutputSpec as OutputSpec
    from .capability.spec import Semantics as Semantics
    from .capability.spec import Timeouts as Timeouts
    from .capability.step_specs import StepSpec as StepSpec
    from .charsets import charset_of as charset_of
    from .charsets import decode_text as decode_text
    from .client_proxy import ClientProxy as ClientProxy
    from .client_session import ClientConnector as ClientConnector
    from .client_session import StaleConnectionError as StaleConnectionError
    from .client_session import open_client_session as open_client_session
    from .client_tls import ClientTls as ClientTls
    from .client_tls import ClientTlsFiles as ClientTlsFiles
    from .client_tls import LoadedTls as LoadedTls
    from .client_tunnel import ClientTunnel as ClientTunnel
    from .compiler.plan import ExposerPlan as ExposerPlan
    from .compiler.plan import Plan as Plan
    from .compiler.references import normalize_name as normalize_name
    from .connections import client_tls_context as client_tls_context
    from .connections import ended_cleanly as ended_cleanly
    from .connections import unread_data_check as unread_data_check
    from .content_decoder import ContentDecoder as ContentDecoder
    from .daemon_threads import DaemonThreads as DaemonThreads
    from .document.messages import count_noun as count_noun
    from .document.messages import did_you_mean as did_you_mean
    from .document.source import Source as Source
    from .editing.completion import Completion as Completion
    from .editing.fixes import Edit as Edit
    from .editing.service import Declaration as Declaration
    from .editing.service import DocumentProblem as DocumentProblem
    from .editing.service import Fix as Fix
    from .editing.service import LanguageService as LanguageService
    from .environment_proxies import environment_proxy as environment_proxy
    from .errors import AdapterHostError as AdapterHostError
    from .errors import ApprovalError as ApprovalError
    from .errors import ApprovalRequiredError as ApprovalRequiredError
    from .errors import ArgumentError as ArgumentError
    from .errors import BindError as BindError
    from .errors import InternalError as InternalError
    from .errors import LockHeldError as LockHeldError
    from .errors import NotFoundError as NotFoundError
    from .errors import OperationError as OperationError
    from .errors import PluginError as PluginError
    from .errors import Problem as Problem
    from .errors import ProblemsError as ProblemsError
    from .errors import RefusedError as RefusedError
    from .errors import StartError as StartError
    from .errors import StoreUnavailableError as StoreUnavailableError
    from .errors import UnavailableError as UnavailableError
    from .errors import UpstreamDisconnectedError as UpstreamDisconnectedError
    from .errors import UpstreamError as UpstreamError
    from .errors import UpstreamIncompleteError as UpstreamIncompleteError
    from .errors import UpstreamInvalidError as UpstreamInvalidError
    from .errors import UpstreamStatusError as UpstreamStatusError
    from .errors import UpstreamTimeoutError as UpstreamTimeoutError
    from .errors import UpstreamUnreachableError as UpstreamUnreachableError
    from .expressions.jsonpath import compile_path as compile_path
    from .expressions.pattern import Pattern as Pattern
    from .expressions.pattern import PatternError as PatternError
    from .expressions.pattern import compile_pattern as compile_pattern
    from .expressions.replacing import path_names as path_names
    from .expressions.replacing import replace_value as replace_value
    from .expressions.template import ABSENT as ABSENT
    from .expressions.template import Template as Template
    from .expressions.template import text_of as text_of
    from .host.asgi import AsgiApplication as AsgiApplication
    from .host.discovery import discover as discover
    from .host.embedding import HOSTS as HOSTS
    from .host.embedding import attach as attach
    from .host.host import HOST as HOST
    from .host.host import Host as Host
    from .host.reloads import Reloader as Reloader
    from .host.status import ExposerStatus as ExposerStatus
    from .hosts import is_loopback as is_loopback
    from .http_syntax import CONNECTION_HEADERS as CONNECTION_HEADERS
    from .http_syntax import HOP_BY_HOP as HOP_BY_HOP
    from .http_syntax import TOKEN as TOKEN
    from .http_syntax import bare_media_type as bare_media_type
    from .http_syntax import end_to_end_headers as end_to_end_headers
    from .http_syntax import is_connection_header as is_connection_header
    from .http_syntax import is_token as is_token
    from .json_nesting import MAX_JSON_DEPTH as MAX_JSON_DEPTH
    from .json_nesting import NestingError as NestingError
    from .json_nesting import decode_json as decode_json
    from .json_nesting import encode_json as encode_json
    from .json_nesting import parse_json as parse_json
    from .openapi.conversion import capability_from_openapi as capability_from_openapi
    from .operation.approvals import CLIENT_DECISION as CLIENT_DECISION
    from .operation.approvals import ClientDecision as ClientDecision
    from .operation.audit_members import AUDIT_MEMBERS as AUDIT_MEMBERS
    from .operation.audit_members import note_for_audit as note_for_audit
    from .operation.call_record import CallRecord as CallRecord
    from .operation.call_record import note_call as note_call
    from .operation.callers import CallContext as CallContext
    from .operation.callers import Caller as Caller
    from .operation.callers import CallScope as CallScope
    from .operation.callers import CallSite as CallSite
    from .operation.callers import KeyedCalls as KeyedCalls
    from .operation.callers import Principal as Principal
    from .operation.callers import current_call as current_call
    from .operation.callers import current_request_id as current_request_id
    from .operation.event_streams import Event as Event
    from .operation.event_streams import EventFormat as EventFormat
    from .operation.event_streams import event_format as event_format
    from .operation.inputs import JSON_CLASSES as JSON_CLASSES
    from .operation.inputs import JSON_TYPES as JSON_TYPES
    from .operation.inputs import Input as Input
    from .operation.operation import Arguments as Arguments
    from .operation.operation import Call as Call
    from .operation.operation import ConsumedOperation as ConsumedOperation
    from .operation.operation import HeaderWriter as HeaderWriter
    from .operation.operation import Operation as Operation
    from .operation.operation import Operations as Operations
    from .operation.origin import Origin as Origin
    from .operation.paging.position import PAGE_POSITION as PAGE_POSITION
    from .operation.paging.position import PagePosition as PagePosition
    from .operation.request_description import REQUEST_DESCRIPTION as REQUEST_DESCRIPTION
    from .operation.request_description import Attributes as Attributes
    from .operation.request_description import DurationMetric as DurationMetric
    from .operation.request_description import RequestDescription as RequestDescription
    from .operation.request_id import is_request_id as is_request_id
    from .operation.request_id import new_request_id as new_request_id
    from .operation.result import Result as Result
    from .operation.result import ResultChanges as ResultChanges
    from .operation.schema_inputs import schema_inputs as schema_inputs
    from .operation.send_budget import SEND_BUDGET as SEND_BUDGET
    from .operation.send_budget import SendBudget as SendBudget
    from .operation.streams import ItemIterator as ItemIterator
    from .operation.streams import OnEnd as OnEnd
    from .operation.streams import ResultStream as ResultStream
    from .operation.streams import close_stream as close_stream
    from .operation.streams import read_at_most as read_at_most
    from .operation.trace_context import TRACE_CONTEXT as TRACE_CONTEXT
    from .operation.wire_format import STYLES as STYLES
    from .operation.wire_format import Style as Style
    from .operation.wire_format import WireFormat as WireFormat
    from .operation.wire_format import explodes_by_default as explodes_by_default
    from .pages.files import BrowserFile as BrowserFile
    from .pages.files import read_browser_files as read_browser_files
    from .pages.files import shared_browser_files as shared_browser_files
    from .pages.frame import PageFrame as PageFrame
    from .plugin.access import AccessCheck as AccessCheck
    from .plugin.access import Refusal as Refusal
    from .plugin.access import RefusedRequest as RefusedRequest
    from .plugin.access import Verdict as Verdict
    from .plugin.client_proxy import compile_client_proxy as compile_client_proxy
    from .plugin.client_request import ClientRequest as ClientRequest
    from .plugin.client_tls import compile_client_tls as compile_client_tls
    from .plugin.command import Command as Command
    from .plugin.consumer import ConsumedCall as ConsumedCall
    from .plugin.consumer import Consumer as Consumer
    from .plugin.consumer import PassThroughOperation as PassThroughOperation
    from .plugin.context import BuildContext as BuildContext
    from .plugin.curl import curl as curl
    from .plugin.exposer import CatalogEntry as CatalogEntry
    from .plugin.exposer import Exposer as Exposer
    from .plugin.exposer import HttpExposer as HttpExposer
    from .plugin.exposer import Included as Included
    from .plugin.extension_key import ExtensionKey as ExtensionKey
    from .plugin.files import LocatedFile as LocatedFile
    from .plugin.files import Location as Location
    from .plugin.files import guess_media_type as guess_media_type
    from .plugin.files import parse_location as parse_location
    from .plugin.hookspecs import RegisterBindSource as RegisterBindSource
    from .plugin.hookspecs import RegisterCommand as RegisterCommand
    from .plugin.hookspecs import RegisterConsumer as RegisterConsumer
    from .plugin.hookspecs import RegisterExposer as RegisterExposer
    from .plugin.hookspecs import RegisterSettings as RegisterSettings
    from .plugin.hookspecs import RegisterStateStore as RegisterStateStore
    from .plugin.hookspecs import RegisterStepType as RegisterStepType
    from .plugin.hookspecs import hookimpl as hookimpl
    from .plugin.inclusion import Selection as Selection
    from .plugin.inclusion import behavior_annotations as behavior_annotations
    from .plugin.listening import ListeningSocket as ListeningSocket
    from .plugin.listening import ProtocolFactory as ProtocolFactory
    from .plugin.listening import ServedRequest as ServedRequest
    from .plugin.listening import StreamHandler as StreamHandler
    from .plugin.loading.api_version import API_VERSION as API_VERSION
    from .plugin.loading.manager import PluginInfo as PluginInfo
    from .plugin.loading.manager import Plugins as Plugins
    from .plugin.loading.registry import Registry as Registry
    from .plugin.plugin_settings import plugin_settings as plugin_settings
    from .plugin.services import AdapterState as AdapterState
    from .plugin.services import AuditService as AuditService
    from .plugin.services import AuditTrail as AuditTrail
    from .plugin.services import DecisionService as DecisionService
    from .plugin.services import HostService as HostService
    from .plugin.services import PendingDecision as PendingDecision
    from .plugin.services import Services as Services
    from .plugin.step_type import StepType as StepType
    from .plugin.tool_tokens import MOST_TOOL_TOKENS as MOST_TOOL_TOKENS
    from .plugin.tool_tokens import estimate_tokens as estimate_tokens
    from .plugin.tool_tokens import tool_definition_text as tool_definition_text
    from .proxied_connectors import RefusedByProxyError as RefusedByProxyError
    from .proxied_connectors import SocksConnector as SocksConnector
    from .proxied_connectors import TunnelConnector as TunnelConnector
    from .public_errors import error_details as error_details
    from .regular_files import read_regular_file as read_regular_file
    from .regular_files import replace_regular_file as replace_regular_file
    from .rejection_log import RejectionLog as RejectionLog
    from .schemas.keywords import map_schemas as map_schemas
    from .schemas.portable.names import NameMap as NameMap
    from .schemas.portable.render import portable_schema as portable_schema
    from .schemas.samples import sample_of as sample_of
    from .schemas.schema import Schema as Schema
    from .schemas.standalone import resolve_response_schema as resolve_response_schema
    from .schemas.violations import Validator as Validator
    from .schemas.violations import Violation as Violation
    from .schemas.wording import describe_place as describe_place
    from .server.callers import PRINCIPAL as PRINCIPAL
    from .server.connection.limits import address_reader as address_reader
    from .server.connection.requests import root_path as root_path
    from .server.problem_json import error_problem as error_problem
    from .server.problem_json import problem_response as problem_response
    from .server.request_body import BodyTooLargeError as BodyTooLargeError
    from .server.request_body import UnreadableBodyError as UnreadableBodyError
    from .server.request_body import UnsupportedCodingError as UnsupportedCodingError
    from .server.request_body import is_decoded_by_server as is_decoded_by_server
    from .server.request_body import read_body as read_body
    from .settings import McpEndpoint as McpEndpoint
    from .settings import Settings as Settings
    from .settings import TlsFiles as TlsFiles
    from .state.memory import MemoryStateStore as MemoryStateStore
    from .state.sealing import Sealer as Sealer
    from .state.store import RateDecision as RateDecision
    from .state.store import StateStore as StateStore
    from .state.store import Value as Value
    from .state.store import checked_leases as checked_leases
    from .state.store import checked_rate as checked_rate
    from .state.store import checked_sum as checked_sum
    from .state.store import checked_time as checked_time
    from .state.store import key_bytes as key_bytes
    from .state.store import value_bytes as value_bytes
    from .worker_processes import WorkerProcess as WorkerProcess
    from .worker_processes import worker_environment as worker_environment

# Names are imported on first use: a plugin that only declares models, or `validate`, needs no server.
_EXPORTS = {
    "auth.oauth2.metadata": ("is_secure", "metadata_urls"),
    "auth.upstream.authorizer": ("Authorizer",),
    "auth.upstream.compile": ("compile_upstream_credential",),
    "auth.upstream.credential": ("AUTHORIZATION", "AuthFlow", "AuthTransport", "UpstreamCredential"),
    "auth.upstream.mock": ("MockAuthenticator", "mock_authenticator"),
    "binds.binds": ("BindSource",),
    "capability.client_tls_spec": ("ClientTlsSpec",),
    "capability.diagnostics": ("Section",),
    "capability.loaded": ("LoadedCapability",),
    "capability.media_types": ("BinarySize", "MediaType", "is_json", "parse_size"),
    "capability.model": ("ListField", "Model"),
    "capability.include_spec": ("IncludeSpec", "IncludingConfig", "SelectionSpec", "hints_of_annotations"),
    "capability.input_constraints": ("InputConstraints",),
    "capability.pagination_spec": ("PAGINATION", "PageSizeSpec", "PaginationSpec"),
    "capability.pattern_text": ("PatternText",),
    "capability.spec": (
        "AggregateSpec",
        "Authentication",
        "Bind",
        "Capability",
        "ConsumerConfig",
        "ExposerConfig",
        "ForwardSpec",
        "FunctionInputSpec",
        "FunctionSpec",
        "HttpExposerConfig",
        "Info",
        "InputSpec",
        "ListeningConfig",
        "MappingSpec",
        "OperationSpec",
        "OutputSpec",
        "Semantics",
        "Timeouts",
    ),
    "capability.step_specs": ("StepSpec",),
    "charsets": ("charset_of", "decode_text"),
    "client_session": ("ClientConnector", "StaleConnectionError", "open_client_session"),
    "client_proxy": ("ClientProxy",),
    "client_tls": ("ClientTls", "ClientTlsFiles", "LoadedTls"),
    "client_tunnel": ("ClientTunnel",),
    "compiler.plan": ("ExposerPlan", "Plan"),
    "compiler.references": ("normalize_name",),
    "content_decoder": ("ContentDecoder",),
    "connections": ("client_tls_context", "ended_cleanly", "unread_data_check"),
    "daemon_threads": ("DaemonThreads",),
    "document.messages": ("count_noun", "did_you_mean"),
    "document.source": ("Source",),
    "editing.completion": ("Completion",),
    "editing.fixes": ("Edit",),
    "editing.service": ("Declaration", "DocumentProblem", "Fix", "LanguageService"),
    "environment_proxies": ("environment_proxy",),
    "errors": (
        "AdapterHostError",
        "ApprovalError",
        "ApprovalRequiredError",
        "ArgumentError",
        "BindError",
        "InternalError",
        "LockHeldError",
        "NotFoundError",
        "OperationError",
        "PluginError",
        "Problem",
        "ProblemsError",
        "RefusedError",
        "StartError",
        "StoreUnavailableError",
        "UnavailableError",
        "UpstreamDisconnectedError",
        "UpstreamError",
        "UpstreamIncompleteError",
        "UpstreamInvalidError",
        "UpstreamStatusError",
        "UpstreamTimeoutError",
        "UpstreamUnreachableError",
    ),
    "expressions.jsonpath": ("compile_path",),
    "expressions.pattern": ("Pattern", "PatternError", "compile_pattern"),
    "expressions.replacing": ("path_names", "replace_value"),
    "expressions.template": ("ABSENT", "Template", "text_of"),
    "host.asgi": ("AsgiApplication",),
    "host.discovery": ("discover",),
    "host.embedding": ("HOSTS", "attach"),
    "host.host": ("HOST", "Host"),
    "host.reloads": ("Reloader",),
    "host.status": ("ExposerStatus",),
    "hosts": ("is_loopback",),
    "http_syntax": (
        "CONNECTION_HEADERS",
        "HOP_BY_HOP",
        "TOKEN",
        "bare_media_type",
        "end_to_end_headers",
        "is_connection_header",
        "is_token",
    ),
    "json_nesting": ("MAX_JSON_DEPTH", "NestingError", "decode_json", "encode_json", "parse_json"),
    "openapi.conversion": ("capability_from_openapi",),
    "operation.approvals": ("CLIENT_DECISION", "ClientDecision"),
    "operation.audit_members": ("AUDIT_MEMBERS", "note_for_audit"),
    "operation.call_record": ("CallRecord", "note_call"),
    "operation.callers": (
        "CallContext",
        "CallScope",
        "CallSite",
        "Caller",
        "KeyedCalls",
        "Principal",
        "current_call",
        "current_request_id",
    ),
    "operation.event_streams": ("Event", "EventFormat", "event_format"),
    "operation.inputs": ("Input", "JSON_CLASSES", "JSON_TYPES"),
    "operation.operation": ("Arguments", "Call", "ConsumedOperation", "HeaderWriter", "Operation", "Operations"),
    "operation.origin": ("Origin",),
    "operation.paging.position": ("PAGE_POSITION", "PagePosition"),
    "operation.request_description": ("REQUEST_DESCRIPTION", "Attributes", "DurationMetric", "RequestDescription"),
    "operation.request_id": ("is_request_id", "new_request_id"),
    "operation.schema_inputs": ("schema_inputs",),
    "operation.result": ("Result", "ResultChanges"),
    "operation.send_budget": ("SEND_BUDGET", "SendBudget"),
    "operation.streams": ("ItemIterator", "OnEnd", "ResultStream", "close_stream", "read_at_most"),
    "operation.trace_context": ("TRACE_CONTEXT",),
    "operation.wire_format": ("STYLES", "Style", "WireFormat", "explodes_by_default"),
    "pages.files": ("BrowserFile", "read_browser_files", "shared_browser_files"),
    "pages.frame": ("PageFrame",),
    "plugin.access": ("AccessCheck", "Refusal", "RefusedRequest", "Verdict"),
    "plugin.client_proxy": ("compile_client_proxy",),
    "plugin.client_request": ("ClientRequest",),
    "plugin.client_tls": ("compile_client_tls",),
    "plugin.command": ("Command",),
    "plugin.consumer": ("ConsumedCall", "Consumer", "PassThroughOperation"),
    "plugin.context": ("BuildContext",),
    "plugin.curl": ("curl",),
    "plugin.exposer": ("CatalogEntry", "Exposer", "HttpExposer", "Included"),
    "plugin.extension_key": ("ExtensionKey",),
    "plugin.files": ("LocatedFile", "Location", "guess_media_type", "parse_location"),
    "plugin.hookspecs": (
        "RegisterBindSource",
        "RegisterCommand",
        "RegisterConsumer",
        "RegisterExposer",
        "RegisterSettings",
        "RegisterStateStore",
        "RegisterStepType",
        "hookimpl",
    ),
    "plugin.inclusion": ("Selection", "behavior_annotations"),
    "plugin.listening": ("ListeningSocket", "ProtocolFactory", "ServedRequest", "StreamHandler"),
    "plugin.loading.api_version": ("API_VERSION",),
    "plugin.loading.manager": ("PluginInfo", "Plugins"),
    "plugin.loading.registry": ("Registry",),
    "plugin.plugin_settings": ("plugin_settings",),
    "plugin.services": (
        "AdapterState",
        "AuditService",
        "AuditTrail",
        "DecisionService",
        "HostService",
        "PendingDecision",
        "Services",
    ),
    "plugin.step_type": ("StepType",),
    "plugin.tool_tokens": ("MOST_TOOL_TOKENS", "estimate_tokens", "tool_definition_text"),
    "proxied_connectors": ("RefusedByProxyError", "SocksConnector", "TunnelConnector"),
    "public_errors": ("error_details",),
    "regular_files": ("read_regular_file", "replace_regular_file"),
    "rejection_log": ("RejectionLog",),
    "schemas.keywords": ("map_schemas",),
    "schemas.portable.names": ("NameMap",),
    "schemas.portable.render": ("portable_schema",),
    "schemas.samples": ("sample_of",),
    "schemas.schema": ("Schema",),
    "schemas.standalone": ("resolve_response_schema",),
    "schemas.violations": ("Validator", "Violation"),
    "schemas.wording": ("describe_place",),
    "server.callers": ("PRINCIPAL",),
    "server.connection.limits": ("address_reader",),
    "server.connection.requests": ("root_path",),
    "server.problem_json": ("error_problem", "problem_response"),
    "server.request_body": (
        "BodyTooLargeError",
        "UnreadableBodyError",
        "UnsupportedCodingError",
        "is_decoded_by_server",
        "read_body",
    ),
    "settings": ("McpEndpoint", "Settings", "TlsFiles"),
    "state.memory": ("MemoryStateStore",),
    "state.sealing": ("Sealer",),
    "state.store": (
        "RateDecision",
        "StateStore",
        "Value",
        "checked_leases",
        "checked_rate",
        "checked_sum",
        "checked_time",
        "key_bytes",
        "value_bytes",
    ),
    "worker_processes": ("WorkerProcess", "worker_environment"),
}
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names}

# Constants, classes, functions, each by name.
__all__ = sorted(_MODULES, key=lambda name: (not name.isupper(), name[0].islower(), name))


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value: object = getattr(_import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
