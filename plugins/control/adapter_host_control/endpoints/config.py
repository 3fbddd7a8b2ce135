"""`/config`: the served document, its validation and reload."""

from __future__ import annotations

from aiohttp import web

from adapter_host import AdapterHostError, LoadedCapability, ProblemsError
from adapter_host_control.guard import check_caller
from adapter_host_control.responses import RequestRejectedError, json_response, problem_to_dict

from .health import adapter_status, host_state
from .masking import mask_document


class ConfigEndpoints:
    """Endpoints below `/config`."""

    def __init__(self, loaded: LoadedCapability) -> None:
        self._loaded = loaded

    async def get(self, _: web.Request) -> web.Response:
        """Return the served document, with imports resolved and secrets masked."""
        return json_response(mask_document(self._loaded.source.data, self._loaded.masked))

    async def validate(self, request: web.Request) -> web.Response:
        """Validate the documents on disk without serving them."""
        host = check_caller(request)
        _refuse_body(request)
        problems = await host.check_in_thread()
        valid = all(problem.warning for problem in problems)
        return json_response({"valid": valid, "problems": [problem_to_dict(problem) for problem in problems]})

    async def reload(self, request: web.Request) -> web.Response:
        """Reload the documents from disk; the previous version stays in service if that fails."""
        host = check_caller(request)
        _refuse_body(request)
        try:
            await host.reload()
        except ProblemsError as error:
            problems = [problem_to_dict(problem) for problem in error.problems]
            message = "reload failed; still serving the previous version"
            raise RequestRejectedError(422, message, problems=problems) from error
        except AdapterHostError as error:
            raise RequestRejectedError(409, f"reload failed; still serving the previous version: {error}") from error
        return json_response(
            {
                "status": host_state(host),
                "problems": [problem_to_dict(problem) for problem in host.warnings],
                "adapters": [adapter_status(status) for status in host.status()],
            }
        )


def _refuse_body(request: web.Request) -> None:
    if request.can_read_body:
        raise RequestRejectedError(400, "unexpected request body; send none")
