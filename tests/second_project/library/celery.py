"""The library's own Celery app, with its own broker, as it was before `notifications` came."""

from celery import Celery

app = Celery("library", broker="memory://", backend="cache+memory://")


@app.task
def shelve(books: int) -> str:
    """Work of the library's that has nothing to do with events."""
    return f"{books} books shelved"
