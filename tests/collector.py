"""A collector of traces: takes OTLP over HTTP, as protobuf from the services and as JSON from Triton."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    trace_id: str
    span_id: str
    # Empty for the first span of a trace.
    parent_id: str
    attributes: Mapping[str, Any]
    linked_ids: tuple[str, ...] = ()
    failed: bool = False
    resource: Mapping[str, Any] = field(default_factory=dict)


class Collector:
    """`status`: what it answers."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.spans: list[Span] = []
        self.paths: set[str] = set()
        self.status = 200

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def parent(self, span: Span) -> Span:
        (parent,) = [each for each in self.spans if each.span_id == span.parent_id]
        assert parent.trace_id == span.trace_id
        return parent

    def way_to(self, span: Span) -> list[str]:
        """Names from the first span of its trace to this one."""
        way = [span.name]
        while span.parent_id:
            span = self.parent(span)
            way.insert(0, span.name)
        return way


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.paths.add(self.path)
            if collector.status == 200:
                collector.spans += read(body, self.headers["Content-Type"])
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector = Collector(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def read(body: bytes, content_type: str) -> Iterator[Span]:
    """ValueError, or an error of protobuf's, where it is no export of spans."""
    if content_type == "application/json":
        yield from _read_json(json.loads(body))
        return
    if content_type != "application/x-protobuf":
        raise ValueError(content_type)
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = {each.key: _value(each.value) for each in group.resource.attributes}
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Span(
                    resource["service.name"],
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    {each.key: _value(each.value) for each in span.attributes},
                    tuple(link.span_id.hex() for link in span.links),
                    span.status.code == 2,
                    resource,
                )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def _read_json(request: Any) -> Iterator[Span]:
    for group in request["resourceSpans"]:
        resource = _attributes(group["resource"])
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                yield Span(
                    resource["service.name"],
                    span["name"],
                    span["traceId"],
                    span["spanId"],
                    span.get("parentSpanId", ""),
                    _attributes(span),
                    resource=resource,
                )


def _attributes(of: Any) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in of.get("attributes", ())}
