"""A declared operation with the declarations that apply to it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Final

from adapter_host import BuildContext, UpstreamCredential
from adapter_host_http.config import HttpConfig, HttpInputSpec, HttpOperationSpec, HttpResource

from .templates import TemplateLocation

USER_AGENT: Final = f"adapter-host/{metadata.version('adapter-host-core')}"


@dataclass(frozen=True, slots=True)
class OperationScope:
    """A declared operation with its resource, API and credential; `headers` are defaults."""

    config: HttpConfig
    resource: HttpResource
    spec: HttpOperationSpec
    context: BuildContext
    credential: UpstreamCredential | None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        return self.resource.path if self.spec.path is None else self.spec.path

    @property
    def path_location(self) -> TemplateLocation:
        return TemplateLocation("path", self.resource if self.spec.path is None else self.spec, ("path",))


def effective_inputs(scope: OperationScope) -> list[HttpInputSpec]:
    """Return the declared inputs of all levels; of the same name in requests and location, the innermost."""
    inputs: dict[tuple[str, str | None], HttpInputSpec] = {}
    for level in (scope.config, scope.resource, scope.spec):
        for spec in level.input_parameters:
            name = spec.request_name.lower() if spec.in_ == "header" else spec.request_name
            inputs.pop((name, spec.in_), None)
            inputs[name, spec.in_] = spec
    return list(inputs.values())
