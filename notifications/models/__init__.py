"""What is kept: facts (Event), what must be published (Dispatch), what was done about it
(Delivery and Attempt for channels, Handled for services) and what was given up on (DeadLetter)."""

from notifications.models.attempt import Attempt
from notifications.models.dead_letter import DeadLetter
from notifications.models.delivery import Delivery
from notifications.models.dispatch import Dispatch
from notifications.models.event import Event
from notifications.models.handled import Handled

__all__ = ["Attempt", "DeadLetter", "Delivery", "Dispatch", "Event", "Handled"]
