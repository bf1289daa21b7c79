"""One event, about nothing: what it asks of the task is in its data."""

from notifications.events import EventData, event


@event("probe.happened", subject="probe/{number}", topic="probe-events")
class ProbeHappened(EventData):
    """script: what the task does with it, one word of `consumers.py`. times: how often it fails."""

    number: int
    script: str = "succeed"
    times: int = 1
    seconds: float = 0.0
