"""Script steps: JavaScript and Python (`type: script`)."""

from adapter_host import RegisterStepType, hookimpl

from .steps import ScriptSteps


@hookimpl
def register_step_types(register: RegisterStepType) -> None:
    """Register the type `script`."""
    register("script", ScriptSteps)
