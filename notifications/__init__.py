"""Order events: Django signals → outbox → SNS → SQS → Celery → delivery records."""
