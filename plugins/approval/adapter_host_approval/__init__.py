"""A person's approval: calls that wait for a decision before anything of them is sent to an API."""

from .approvals import Approvals
from .hooks import check_capability, extension_keys, host_services, operation_wrapper, register_exposers
from .records import Approval

__all__ = [
    "Approval",
    "Approvals",
    "check_capability",
    "extension_keys",
    "host_services",
    "operation_wrapper",
    "register_exposers",
]
