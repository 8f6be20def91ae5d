"""One log format for every service: text for people, JSON lines for machines."""

import logging
import sys

import structlog
from opentelemetry.trace import get_current_span


def configure_logging(service: str, level: str, log_format: str, *, traced: bool = False) -> None:
    """Logs to standard output. `service` is bound to every line of the JSON format; a supervisor prefixes the text.

    `traced`: what is logged within a span names its trace.
    """
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if log_format == "text" else "iso", utc=log_format == "json"),
        structlog.processors.StackInfoRenderer(),
    ]
    if traced:
        processors.append(add_trace)
    if log_format == "json":
        structlog.contextvars.bind_contextvars(service=service)
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Plain tracebacks: the default prints local variables, passwords among them.
        plain = structlog.dev.plain_traceback
        processors.append(
            structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=0, exception_formatter=plain)
        )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard module: warnings and above, in the same place.
    logging.basicConfig(
        format="%(asctime)s [%(levelname)s] %(name)s: %(message)s",
        datefmt="%H:%M:%S",
        level=max(logging.WARNING, logging.getLevelNamesMapping()[level]),
        stream=sys.stdout,
    )


def add_trace(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What is logged within a span, with its trace."""
    about = get_current_span().get_span_context()
    if about.is_valid:
        event["trace_id"] = f"{about.trace_id:032x}"
        event["span_id"] = f"{about.span_id:016x}"
    return event


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    return structlog.get_logger(name)  # type: ignore[no-any-return] # what we configured above
