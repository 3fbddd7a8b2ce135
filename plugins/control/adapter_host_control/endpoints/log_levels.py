"""`/logs`: levels of loggers."""

from __future__ import annotations

import logging
from typing import Any, Final

from aiohttp import web

from adapter_host_control.guard import check_caller
from adapter_host_control.responses import RequestRejectedError, json_response, read_object

LEVELS: Final = ("debug", "info", "warning", "error", "critical")

_LOG: Final = logging.getLogger("adapter_host.control")


async def get_all(_: web.Request) -> web.Response:
    """List all loggers."""
    loggers = logging.getLogger().manager.loggerDict
    names = sorted(name for name, logger in loggers.items() if isinstance(logger, logging.Logger))
    return json_response(
        {"loggers": [_describe(logger) for logger in (logging.getLogger(), *map(logging.getLogger, names))]}
    )


async def get(request: web.Request) -> web.Response:
    """Return one logger."""
    return json_response(_describe(_logger(request)))


async def put(request: web.Request) -> web.Response:
    """Set the level of one logger; null inherits the level of its parent."""
    check_caller(request)
    logger = _logger(request)
    data = await read_object(request)
    level = data.get("level", "")
    if set(data) != {"level"} or not (level is None or (isinstance(level, str) and level.lower() in LEVELS)):
        raise RequestRejectedError(
            400, f'the body must be {{"level": LEVEL}}; LEVEL is one of {", ".join(LEVELS)} or null'
        )
    if level is None and logger.parent is None:
        raise RequestRejectedError(400, "the root logger has no parent; set a level")
    logger.setLevel(level.upper() if level is not None else logging.NOTSET)
    _LOG.warning("level of logger '%s' set to %s", logger.name, level or "that of its parent")
    return json_response(_describe(logger))


def _logger(request: web.Request) -> logging.Logger:
    name = request.match_info["logger"]
    logger = logging.getLogger().manager.loggerDict.get(name)
    if name == "root":
        return logging.getLogger()
    if not isinstance(logger, logging.Logger):
        raise RequestRejectedError(404, "unknown logger; GET /logs lists all of them")
    return logger


def _describe(logger: logging.Logger) -> dict[str, Any]:
    level = logging.getLevelName(logger.level).lower() if logger.level else None
    return {
        "name": logger.name,
        "level": level,
        "effectiveLevel": logging.getLevelName(logger.getEffectiveLevel()).lower(),
    }
