"""Read OpenAPI documents from files and URLs. Imports `adapter_host.document` and below."""
