"""Order events and notifications: Django signals → outbox → SNS → SQS → Celery → delivery records."""
