"""GraphQL exposer: operations as fields of one endpoint (`type: graphql` under `exposes`)."""

from adapter_host import RegisterExposer, hookimpl

from .exposer import GraphqlExposer

requires_api = "1.0"


@hookimpl
def register_exposers(register: RegisterExposer) -> None:
    """Register the type `graphql`."""
    register("graphql", GraphqlExposer)
