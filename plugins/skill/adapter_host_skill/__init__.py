"""Skill exposer: a catalog of agent skills (`type: skill` under `exposes`)."""

from adapter_host import RegisterExposer, hookimpl

from .exposer import SkillExposer

requires_api = "1.0"


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    """Register the type `skill`."""
    register("skill", SkillExposer)
