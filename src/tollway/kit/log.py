"""Logging: one line of JSON or colour per event, the request id in every line, secrets taken out.

Standard-library loggers (uvicorn, pgqueuer, alembic) pass through the same processors, so that a
secret cannot leave by a side door.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from tollway.kit.scope import request_id

SECRET_NAMES = re.compile(
    r"(?i)(authorization|cookie|password|secret|encryption_key|api_key$|x-api-key|token|code_entered)"
)
# Whatever stands in the text itself: our own keys after their public part, bearer credentials, passwords in URLs.
SECRET_TEXTS = (
    (re.compile(r"\b((?:mc|wk)_(?:test|live)_[0-9A-Za-z]{8})[0-9A-Za-z]{16,}"), r"\1…"),
    (re.compile(r"\b(whsec_)[0-9A-Za-z+/=]{16,}"), r"\1…"),
    (re.compile(r"\b(sk-[0-9A-Za-z]{8})[0-9A-Za-z]{16,}"), r"\1…"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"']{8,}"), r"\1 …"),
    (re.compile(r"(?i)\b((?:set-)?cookie:\s*)[^\r\n\"']+"), r"\1…"),
    # Links that open a download stand in a path.
    (re.compile(r"(/download/)[0-9A-Za-z_-]{40,}"), r"\1…"),
    # JSON, and dictionaries and headers as Python writes them.
    (
        re.compile(
            r"(?i)([\"'][\w-]*(?:authorization|cookie|password|secret|token|(?:api|encryption)[_-]key|code_entered)[\"']\s*[:,]\s*b?[\"'])[^\"']*"
        ),
        r"\1…",
    ),
    # Greedy to the last @: a password may hold one; and Redis URLs have no user before the colon.
    (re.compile(r"(://[^:/\s@]*:)[^/\s]+@"), r"\1…@"),
    (re.compile(r"(?i)([?&](?:token|code|signature)=)[^&\s\"']+"), r"\1…"),
)

log: structlog.stdlib.BoundLogger = structlog.get_logger("tollway")


def configure_logging(level: str, *, as_json: bool) -> None:
    """Send every log line of the process to standard error, in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_request_id,
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Our own request line replaces uvicorn's; these others are chatty at INFO and say nothing to an owner.
    for name in (
        "uvicorn.access",
        "httpx",
        "httpcore",
        "pgqueuer",
        "alembic.runtime.migration",
        "psycopg.pool",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def add_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the request under way, so that one id finds every line of it."""
    if found := request_id.get():
        event.setdefault("request_id", found)
    return event


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets out by the name they stand under and by what they look like."""
    for name, value in event.items():
        # structlog's own, which the formatter takes out again.
        if not name.startswith("_"):
            event[name] = _redacted_under(name, value)
    return event


def redacted(value: Any) -> Any:
    """Return `value` with every secret that its texts show replaced by an ellipsis."""
    if isinstance(value, str):
        for pattern, replacement in SECRET_TEXTS:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, dict):
        return {redacted(name): _redacted_under(name, inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        # Headers travel as pairs of name and value.
        if len(value) == 2 and isinstance(value[0], str | bytes):
            return [redacted(value[0]), _redacted_under(*value)]
        return [redacted(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    # Whatever else it is, this is how it would be written.
    return redacted(repr(value))


def _redacted_under(name: Any, value: Any) -> Any:
    return "…" if SECRET_NAMES.search(str(name)) else redacted(value)
