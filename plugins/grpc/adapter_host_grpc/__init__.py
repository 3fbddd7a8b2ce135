"""gRPC: `type: grpc` under `exposes` and under `consumes`."""

from adapter_host import RegisterConsumer, RegisterExposer, hookimpl

from .consumer import GrpcConsumer
from .exposer import GrpcExposer

requires_api = "1.0"


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    """Register the exposer of type `grpc`."""
    register("grpc", GrpcExposer)


@hookimpl
def register_consumers(register: RegisterConsumer) -> None:
    """Register the consumer of type `grpc`."""
    register("grpc", GrpcConsumer)
