"""Send requests whose `Authorization` header an authentication flow computes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from adapter_host import UpstreamTimeoutError

from .credential import AUTHORIZATION, AuthFlow
from .request.request import Request
from .transport.base import Response

Send = Callable[[Request], Awaitable[Response]]


async def send_authenticated(
    auth_flow: AuthFlow, send: Send, method: str, request: Request, *, deadline: float
) -> Response:
    """Send a request with the header of its authentication flow; after a 401, try once more."""
    try:
        async with asyncio.timeout_at(deadline):
            authorization = await auth_flow.header(method, request.target)
    except TimeoutError as error:
        message = "the authorization of the request took too long"
        raise UpstreamTimeoutError(message, sent=False) from error
    response = await send(_with_authorization(request, authorization))
    if response.status != 401 or not request.repeatable:
        return response
    try:
        challenges = response.headers.getall("WWW-Authenticate", ())
        async with asyncio.timeout_at(deadline):
            authorization = await auth_flow.retry_header(method, request.target, authorization, challenges)
    except BaseException:
        response.close()
        raise
    if authorization is None:
        return response
    response.close()
    return await send(_with_authorization(request, authorization))


def _with_authorization(request: Request, authorization: str | None) -> Request:
    return request if authorization is None else request.with_header(AUTHORIZATION, authorization)
