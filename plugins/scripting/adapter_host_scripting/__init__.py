"""Script steps: JavaScript and Python between the calls of an operation."""

from adapter_host import RegisterStepType, hookimpl

from .steps import ScriptSteps


@hookimpl
def register_step_types(register: RegisterStepType) -> None:
    """Serve `type: script`."""
    register("script", ScriptSteps)
