"""What OpenAPI 2.0 (Swagger) says in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from adapter_host.http_syntax import bare_media_type

from .documents import Cursor
from .inputs import chosen, form_body, parameter, whole_body
from .media import FORM, JSON, MULTIPART, is_media_type
from .model import Answer, Body, Parameter
from .names import BASE
from .responses import Media, answer_of, success
from .schemas import Field
from .security import scheme_entries

_IN_BODY = ("body", "formData")


class Version2:
    """Reads documents of `swagger: "2.0"`."""

    def __init__(self, root: Cursor) -> None:
        self._root = root

    def base(self) -> str | None:
        """Return the URL that schemes, host and base path make."""
        source = urlsplit(self._root.document.name)
        fetched = source.scheme in ("http", "https")
        host = self._root.text("host") or (source.netloc if fetched else None)
        if host is None:
            return None
        schemes = [at.value for at in self._root.elements("schemes") if at.value in ("https", "http")]
        scheme = "https" if "https" in schemes else next(iter(schemes), source.scheme if fetched else "https")
        url = f"{scheme}://{host}/{(self._root.text('basePath') or '').lstrip('/')}"
        if BASE.fullmatch(url):
            return url
        self._root.warn(f"'{url}' is not the http or https URL that a base has to be, so it is left out")
        return None

    def schemes(self) -> dict[str, Cursor]:
        """Return the security schemes by name."""
        return scheme_entries(self._root, "securityDefinitions")

    def parameter(self, at: Cursor) -> Parameter | None:
        """Return a parameter; None when it cannot be said, or is a part of the body."""
        if at.value.get("in") in _IN_BODY:
            return None
        form = at.value.get("collectionFormat", "csv")
        if at.value.get("type") == "array" and form not in ("csv", "multi"):
            at.warn(f"the collection format '{form}' is not sent (an array is joined by commas)")
        return parameter(at, at, commas=form != "multi" and at.value.get("in") == "query")

    def body(self, operation: Cursor, parameters: Sequence[Cursor], taken: Sequence[Parameter]) -> Body | None:
        """Return the request's body."""
        whole = next((at for at in parameters if at.value.get("in") == "body"), None)
        form = [at for at in parameters if at.value.get("in") == "formData"]
        types = self._types(operation, "consumes")
        if whole is not None:
            media_type = chosen(types or [JSON], whole)
            return whole_body(whole, whole.get("schema"), media_type)
        if not form:
            return None
        files = any(at.value.get("type") == "file" for at in form)
        media_type = MULTIPART if files or (MULTIPART in types and FORM not in types) else FORM
        named = [(at, name) for at in form if (name := at.text("name"))]
        return form_body([(Field(name, at, at.flag("required")), None) for at, name in named], media_type, taken)

    def answer(self, operation: Cursor) -> Answer:
        """Return the response of a successful request."""
        found = success(operation)
        if found is None:
            return Answer()
        status, response = found
        schema = response.get("schema")
        if schema is None:
            return answer_of(status, [])
        types = self._types(operation, "produces") or [JSON]
        examples = {bare_media_type(name): at for name, at in response.named("examples")}
        return answer_of(status, [Media(each, schema, example=examples.get(each)) for each in types])

    def _types(self, operation: Cursor, key: str) -> list[str]:
        holder = operation if isinstance(operation.value.get(key), list) else self._root
        types = [bare_media_type(at.value) for at in holder.elements(key) if isinstance(at.value, str)]
        return [each for each in types if is_media_type(each)]
