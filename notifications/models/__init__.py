"""What is kept: facts (Event), and those to come (ScheduledEvent), what must be published
(Dispatch), what was done about it (Delivery, Attempt and Receipt for channels, Handled for
services), what waits to be told together (DigestWindow, DigestItem) or is announced to many
(Announcement, AnnouncementEntry, Lane, Lot), what was given up on (DeadLetter), what holds sending
back (RateLimit, Breaker, Pause), who works (WorkerProcess), how far consumers are (Progress), what
they did minute by minute (Throughput), how punctually customers are told (Punctuality), what
operators have mended (Job, JobItem, JobEntry), that somebody was forgotten (Erasure), what people
want to hear (Preference, Consent), which addresses nothing is sent to (Suppression), who has
written to us (Conversation), what is taken once only (Seen), what staff have written (Template,
TemplateVersion), what people were told (RenderedContent), the partners who are posted events
(WebhookEndpoint), what operators have written about a cause of failure (FailureNote), what they
have done (AuditEntry), wrong passwords of late (LoginFailure) and that the database was put back to
a backup (Restoration)."""

from notifications.models.announcement import Announcement, AnnouncementEntry
from notifications.models.attempt import Attempt
from notifications.models.audit_entry import AuditEntry
from notifications.models.breaker import Breaker
from notifications.models.consent import Consent
from notifications.models.conversation import Conversation
from notifications.models.dead_letter import DeadLetter
from notifications.models.delivery import Delivery
from notifications.models.digest import DigestItem, DigestWindow
from notifications.models.dispatch import Dispatch
from notifications.models.erasure import Erasure
from notifications.models.event import Event
from notifications.models.failure_note import FailureNote
from notifications.models.handled import Handled
from notifications.models.job import Job, JobEntry, JobItem
from notifications.models.lane import Lane, Lot
from notifications.models.login_failure import LoginFailure
from notifications.models.pause import Pause
from notifications.models.preference import Preference
from notifications.models.progress import Progress
from notifications.models.punctuality import Punctuality
from notifications.models.rate_limit import RateLimit
from notifications.models.receipt import Receipt
from notifications.models.rendered_content import RenderedContent
from notifications.models.restoration import Restoration
from notifications.models.scheduled_event import ScheduledEvent
from notifications.models.seen import Seen
from notifications.models.suppression import Suppression
from notifications.models.template import Template, TemplateVersion
from notifications.models.throughput import Throughput
from notifications.models.webhook_endpoint import WebhookEndpoint
from notifications.models.worker_process import WorkerProcess
from notifications.names import FIELDS, name_fields

__all__ = [
    "Announcement",
    "AnnouncementEntry",
    "Attempt",
    "AuditEntry",
    "Breaker",
    "Consent",
    "Conversation",
    "DeadLetter",
    "Delivery",
    "DigestItem",
    "DigestWindow",
    "Dispatch",
    "Erasure",
    "Event",
    "FailureNote",
    "Handled",
    "Job",
    "JobEntry",
    "JobItem",
    "Lane",
    "LoginFailure",
    "Lot",
    "Pause",
    "Preference",
    "Progress",
    "Punctuality",
    "RateLimit",
    "Receipt",
    "RenderedContent",
    "Restoration",
    "ScheduledEvent",
    "Seen",
    "Suppression",
    "Template",
    "TemplateVersion",
    "Throughput",
    "WebhookEndpoint",
    "WorkerProcess",
]

name_fields("notifications", FIELDS)
