"""The spans of a publication: one in each event's trace, and one of the call that took them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from notifications import spans, tracing
from notifications.aws.batches import Entry, Outcome
from notifications.identity import identify
from notifications.models import Dispatch
from notifications.publishing import Batch, publish
from notifications.redaction import redact
from notifications.span import Kind, Span

_SYSTEMS = {Dispatch.Kind.TOPIC: "aws.sns", Dispatch.Kind.QUEUE: "aws_sqs"}


def published(batch: Batch) -> Outcome:
    """Publish it. A call that takes events of several traces belongs to none of them: it begins a
    trace of its own, and each leads to the other."""
    if not spans.is_on():
        return publish(batch)
    with ExitStack() as stack:
        made = {entry.id: stack.enter_context(_of_one(batch, entry)) for entry in batch.entries}
        if len(made) > 1:
            call = stack.enter_context(_of_all(batch, made.values()))
            for span in made.values():
                span.link(call.traceparent)
        outcome = publish(batch)
        for name, span in made.items():
            span.set(message_id=outcome.published.get(name, ""))
            if name in outcome.failed:
                span.fail("not_published")
    return outcome


@contextmanager
def _of_one(batch: Batch, entry: Entry) -> Iterator[Span]:
    event = identify(entry.body)
    with (
        tracing.continued(tracing.read(entry.attributes.get(tracing.HEADER))),
        spans.span(
            f"publish {batch.physical}",
            Kind.PRODUCER,
            event=event.event_id,
            event_type=redact(event.event_type),  # of what is redriven, anybody may have said it
            queue=batch.physical,
            system=_SYSTEMS[Dispatch.Kind(batch.kind)],
            operation="publish",
            operation_type="send",
            messages=len(batch.entries),
        ) as span,
    ):
        yield span


def _of_all(batch: Batch, of_each: Iterable[Span]) -> Span:
    return spans.span(
        f"send {batch.physical}",
        Kind.CLIENT,
        root=True,
        links=[span.traceparent for span in of_each],
        queue=batch.physical,
        system=_SYSTEMS[Dispatch.Kind(batch.kind)],
        operation="send",
        operation_type="send",
        messages=len(batch.entries),
    )
