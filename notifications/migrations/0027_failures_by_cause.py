"""Fingerprints of what failed before, and the indexes that failures are counted from."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

CHUNK = 5000
"""Rows of one statement, each of which is a transaction: some tenths of a second."""

# Of what failed before, the class of the error is not known: that of nearly all of them is taken,
# as `notifications.fingerprints` would have taken it. What is unknown goes by its state.
# Race: a row that is resent meanwhile is not touched.
_FILL = """
WITH found AS (
    SELECT id, created_at FROM notifications_delivery
    WHERE state = %(state)s AND fingerprint = '' AND created_at >= %(since)s
    ORDER BY created_at
    LIMIT %(chunk)s
), filled AS (
    UPDATE notifications_delivery AS delivery SET fingerprint = left(encode(sha256(
        convert_to(
            CASE reason WHEN 'attempts_exhausted' THEN 'notifications.exceptions.AttemptsExhausted'
                ELSE 'notifications.exceptions.PermanentError' END, 'UTF8'
        ) || '\\x00'::bytea || convert_to(CASE reason WHEN '' THEN state ELSE reason END, 'UTF8')
    ), 'hex'), 16)
    FROM found
    WHERE delivery.id = found.id AND delivery.state = %(state)s AND delivery.fingerprint = ''
)
SELECT max(created_at) FROM found
"""


def fill(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        for state in ("failed", "unknown"):
            since = datetime.min.replace(tzinfo=UTC)
            while since is not None:
                cursor.execute(_FILL, {"state": state, "since": since, "chunk": CHUNK})
                since = cursor.fetchone()[0]


class Migration(migrations.Migration):
    """While messages are being sent: these tables are busy, and there may be millions of failures.

    Broken off, it goes on where it was, but for an index: drop what there is of it first
    (`DROP INDEX CONCURRENTLY IF EXISTS dead_letter_failures, delivery_failures`, one by one).
    """

    atomic = False

    dependencies = [
        ("notifications", "0026_requests"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        AddIndexConcurrently(
            model_name="deadletter",
            index=models.Index(
                condition=models.Q(("state", "open")),
                fields=["fingerprint", "last_seen_at"],
                include=("queue", "event_type", "event_id", "first_seen_at", "created_at", "id"),
                name="dead_letter_failures",
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(
                    ("state", "failed"),
                    models.Q(("next_try_at", None), ("state", "unknown")),
                    _connector="OR",
                ),
                fields=["fingerprint", "updated_at"],
                include=("state", "channel", "provider", "event_type", "event_id"),
                name="delivery_failures",
            ),
        ),
    ]
