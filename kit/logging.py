"""One logging set-up for every service: structlog, JSON lines, nothing personal.

Only fields on the list below are written; any other keyword is replaced by its type, so a careless call leaks nothing. An
exception is logged as its type and place, never its text: the texts of drivers and validators hold documents and input.
"""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from kit.tracing import current_trace

ALLOWED = frozenset(
    """event level timestamp logger service agency topic partition offset sequence type subject_type correlationid trace count
    seconds milliseconds port host path method status code attempt reason index collection driver error where group state kind
    way queue limit lag pending oldest signal version file line unit period restarted process url database names
    missing""".split()
)


def _only_allowed(_: Any, __: str, event: EventDict) -> EventDict:
    return {k: v if k in ALLOWED else f"<{type(v).__name__}>" for k, v in event.items()}


def _traced(_: Any, __: str, event: EventDict) -> EventDict:
    # Read here rather than bound for each request: few requests write a line.
    if trace := current_trace():
        event.setdefault("trace", trace)
    return event


def _error_type_and_place(_: Any, __: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the error's type and the innermost frames."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        frames: list[str] = []
        trace = error.__traceback__
        while trace is not None:
            frames.append(f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
            trace = trace.tb_next
        event["where"] = " > ".join(frames[-6:])
    return event


class _LibraryHandler(logging.Handler):
    """Libraries' log records: logger, level and place only, since their messages may hold what they were given."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(
            record.levelno,
            "library",
            logger=record.name,
            where=f"{record.filename}:{record.lineno}",
            **({"exc_info": record.exc_info[1]} if record.exc_info else {}),
        )


def configure(service: str, *, level: str = "INFO", form: str = "json") -> None:
    """Set up logging for this process."""
    renderer: Processor = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _traced,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _error_type_and_place,
            _only_allowed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(handlers=[_LibraryHandler()], level=logging.WARNING, force=True)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The logger; fields must be on the allowed list."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
