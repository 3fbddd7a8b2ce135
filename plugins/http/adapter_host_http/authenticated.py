"""Send requests whose `Authorization` header an authentication flow computes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from adapter_host import AUTHORIZATION, Authorizer

from .request.request import Request
from .transport.base import Response

Send = Callable[[Request], Awaitable[Response]]


async def send_authenticated(
    authorizer: Authorizer, send: Send, method: str, request: Request, *, deadline: float
) -> Response:
    """Send a request with the header of its authentication flow; after a 401, try once more."""
    target = request.target
    authorization = await authorizer.value(deadline, method=method, target=target)
    response = await send(_with_authorization(request, authorization))
    if response.status != 401 or not request.repeatable:
        return response
    challenges = response.headers.getall("WWW-Authenticate", ())
    try:
        authorization = await authorizer.value_after(
            authorization, deadline, challenges=challenges, method=method, target=target
        )
    except BaseException:
        response.close()
        raise
    if authorization is None:
        return response
    response.close()
    return await send(_with_authorization(request, authorization))


def _with_authorization(request: Request, authorization: str | None) -> Request:
    return request if authorization is None else request.with_header(AUTHORIZATION, authorization)
