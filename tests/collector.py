"""A collector of spans on this machine, which speaks OTLP over HTTP; and the spans, as a test reads
them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ERROR = 2
"""STATUS_CODE_ERROR."""


@dataclass(frozen=True)
class Collected:
    """Ids in hexadecimal. links: the trace that each leads to."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, Any]
    failed: bool


class Collector:
    """Keeps every span that it is sent. `environment` is what a process is told to send them."""

    def __init__(self) -> None:
        self.spans: list[Collected] = []
        self.text = ""
        """Every name and value in them."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}"}

    def named(self, name: str) -> list[Collected]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str, *, trace: str = "") -> Collected:
        """The only one of that name, in that trace."""
        found = [span for span in self.named(name) if trace in ("", span.trace)]
        assert len(found) == 1, f"{len(found)} spans {name!r} of {self.names()}"
        return found[0]

    def names(self) -> list[str]:
        return sorted(span.name for span in self.spans)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sent = ExportTraceServiceRequest.FromString(body)
                collector.text += str(sent)
                collector.spans += _read(sent)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _read(sent: Any) -> Iterable[Collected]:
    for of_process in sent.resource_spans:
        service = _values(of_process.resource.attributes).get("service.name", "")
        for scope in of_process.scope_spans:
            for span in scope.spans:
                yield Collected(
                    service=service,
                    name=span.name,
                    kind=type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    links=tuple(link.trace_id.hex() for link in span.links),
                    attributes=_values(span.attributes),
                    failed=span.status.code == ERROR,
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
