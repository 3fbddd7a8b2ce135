"""Names of operations in metrics and traces."""

from __future__ import annotations

from adapter_host import BuildContext, LoadedCapability, Operation


def exposer_type(context: BuildContext) -> str:
    """Return the type of the exposer that is being built."""
    exposes = context.loaded.capability.exposes
    return next((exposer.type for exposer in exposes if exposer.namespace == context.namespace), "")


def operation_id(operation: Operation, loaded: LoadedCapability) -> str:
    """Return `PATH METHOD` if the operation has both, or else its name."""
    method = getattr(operation.spec, "method", None)
    if not isinstance(method, str):
        return operation.name
    loc = loaded.loc(operation.spec)
    paths = [
        path
        for model, model_loc in loaded.models
        if loc[: len(model_loc)] == model_loc and isinstance(path := getattr(model, "path", None), str)
    ]
    return f"{paths[-1]} {method}" if paths else operation.name
