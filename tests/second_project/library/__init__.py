"""A lending library: another project that uses `notifications`, beside a Celery app of its own."""

from library.celery import app as celery_app

__all__ = ["celery_app"]
