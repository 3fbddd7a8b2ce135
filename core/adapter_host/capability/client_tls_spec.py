"""The model of `x-tls`."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from .model import Model


class ClientTlsSpec(Model):
    """The `x-tls` of a consumed API: files of TLS, and the name of its certificate.

    The certificate and the key are those of the host as a client; the key may be in the file of the certificate.
    """

    # A misspelt key must not weaken the connection.
    model_config = ConfigDict(extra="forbid")

    ca: str | None = Field(None, min_length=1)
    certificate: str | None = Field(None, min_length=1)
    key: str | None = Field(None, min_length=1)
    server_name: str | None = None

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("'key' needs a 'certificate'; set the file of the certificate, too")
        return self
