"""Models of `type: control`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from adapter_host import HttpExposerConfig, Model


def _default_if_empty(value: Any) -> Any:
    return {} if value is None else value


def _expand_boolean(value: Any) -> Any:
    """Expand `true` and `false` to the equivalent mapping."""
    if value is True:
        return {"level-control": True, "stream": True}
    return None if value is False else value


Language = Literal["javascript", "python", "groovy"]
EmptyIsDefault = BeforeValidator(_default_if_empty)


class LogsConfig(Model):
    """`management.logs`."""

    level_control: bool = Field(True, alias="level-control")
    stream: bool = False
    max_subscribers: int = Field(5, alias="max-subscribers", ge=1, le=20)


class ScriptingConfig(Model):
    """`management.scripting`: limits of scripts, for the scripting plugin. `timeout` is in milliseconds."""

    enabled: bool = True
    default_location: str | None = Field(None, pattern=r"^file:///")
    default_language: Language | None = None
    timeout: int = Field(60_000, ge=1)
    statement_limit: int = Field(100_000, ge=1)
    allowed_languages: tuple[Language, ...] | None = None


class ManagementConfig(Model):
    """`management`: the enabled endpoints."""

    health: bool = True
    info: bool = False
    reload: bool = False
    validate_: bool = Field(False, alias="validate")
    logs: Annotated[
        LogsConfig | None, BeforeValidator(_expand_boolean, json_schema_input_type=LogsConfig | bool | None)
    ] = None
    scripting: ScriptingConfig | None = None


class LocalConfig(Model):
    """Whether the control port serves the data."""

    enabled: bool = True


class LocalTracesConfig(LocalConfig):
    """`observability.traces.local`."""

    buffer_size: int = Field(100, alias="buffer-size", ge=10, le=10_000)


class MetricsConfig(Model):
    """`observability.metrics`."""

    local: Annotated[LocalConfig, EmptyIsDefault] = Field(default_factory=LocalConfig)


class TracesConfig(Model):
    """`observability.traces`."""

    sampling: float = Field(1.0, ge=0, le=1)
    propagation: Literal["w3c", "b3"] = "w3c"
    local: Annotated[LocalTracesConfig, EmptyIsDefault] = Field(default_factory=LocalTracesConfig)


class OtlpConfig(Model):
    """`observability.exporters.otlp`."""

    endpoint: str


class ExportersConfig(Model):
    """`observability.exporters`."""

    otlp: OtlpConfig | None = None


class ObservabilityConfig(Model):
    """`observability`: metrics, traces, their exporters, and the names of requests in them."""

    enabled: bool = True
    conventions: Literal["naftiko", "otel", "both"] = "naftiko"
    metrics: Annotated[MetricsConfig, EmptyIsDefault] = Field(default_factory=MetricsConfig)
    traces: Annotated[TracesConfig, EmptyIsDefault] = Field(default_factory=TracesConfig)
    exporters: Annotated[ExportersConfig, EmptyIsDefault] = Field(default_factory=ExportersConfig)

    @property
    def otlp(self) -> OtlpConfig | None:
        """Return the OTLP exporter, if enabled."""
        return self.exporters.otlp if self.enabled else None

    @property
    def serves_metrics(self) -> bool:
        """Return whether `/metrics` is served."""
        return self.enabled and self.metrics.local.enabled

    @property
    def serves_traces(self) -> bool:
        """Return whether `/traces` is served."""
        return self.enabled and self.traces.local.enabled

    @property
    def collects_metrics(self) -> bool:
        """Return whether metrics are served or exported."""
        return self.serves_metrics or self.otlp is not None

    @property
    def collects_traces(self) -> bool:
        """Return whether traces are served or exported."""
        return self.serves_traces or self.otlp is not None


class ControlConfig(HttpExposerConfig):
    """An entry of `exposes` with `type: control`, which has no namespace in the language."""

    namespace: str = "control"
    management: Annotated[ManagementConfig, EmptyIsDefault] = Field(default_factory=ManagementConfig)
    observability: Annotated[ObservabilityConfig, EmptyIsDefault] = Field(default_factory=ObservabilityConfig)

    @property
    def mutating_endpoints(self) -> list[str]:
        """Return the enabled endpoints that change state or cost the host work."""
        management = self.management
        endpoints = {
            "management.reload": management.reload,
            "management.validate": management.validate_,
            "management.logs": management.logs is not None and management.logs.level_control,
            "management.scripting": management.scripting is not None,
        }
        return [name for name, enabled in endpoints.items() if enabled]
