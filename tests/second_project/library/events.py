"""What happens in a library."""

from notifications.events import EventData, event


@event("book.due", subject="loan/{loan_id}", topic="loans")
class BookDue(EventData):
    loan_id: int


@event("reminder.counted", subject="loan/{loan_id}", topic="loans")
class ReminderCounted(EventData):
    loan_id: int
