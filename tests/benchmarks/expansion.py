"""`python -m tests.benchmarks.expansion N`: expand an announcement to N people, in this process.

Nobody sends: what lies on the queues is settled by one statement, as soon as it lies there, so that
the expansion is never held back. Prints what it cost as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import django
from django.db import connection

OFFER = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}
CHANNELS = ("email", "push")

_PEOPLE = """
    INSERT INTO customers_customer (
        first_name, last_name, email, phone, whatsapp, country, locale, time_zone,
        email_consent, sms_consent, whatsapp_consent, push_consent
    )
    SELECT 'Ada', 'No. ' || n, 'ada-' || n || '@example.org', '', '', 'DE', 'de', 'Europe/Berlin',
        TRUE, FALSE, FALSE, TRUE
    FROM generate_series(1, %s) AS n
"""
SETTLE = """
    INSERT INTO notifications_handled (
        consumer, event_id, event_type, subject, outcome, generation, attempts, starts, received_at,
        done_at, last_error
    )
    SELECT lane.channel, event.id, event.type, event.subject, 'done', 0, 1, 0, now(), now(), ''
    FROM notifications_event event
    JOIN notifications_lot lot ON lot.number = event.batch
    JOIN notifications_lane lane ON lane.id = lot.lane_id
    WHERE event.announcement_id = lane.announcement_id
    ON CONFLICT DO NOTHING
"""
EVERYTHING = (
    "customers_customer",
    "notifications_announcement",
    "notifications_event",
    "notifications_handled",
)


def expand(people: int) -> dict[str, float]:
    """From nothing; with what it cost, in seconds and megabytes."""
    from notifications.announcements import begin, wish
    from notifications.expansion import advance
    from notifications.models import Announcement, Event, Lot

    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(EVERYTHING)} CASCADE")
        cursor.execute(_PEOPLE, [people])
    wanted = wish("shop.news", audience="customers", data=OFFER, channels=CHANNELS)
    announcement = begin(wanted, by="a benchmark", reason="to measure it")
    seconds = cpu = 0.0
    while announcement.state in Announcement.RUNNING:
        started, before = time.monotonic(), time.process_time()
        advance(using="default", go_on=lambda: True)
        seconds, cpu = seconds + time.monotonic() - started, cpu + time.process_time() - before
        with connection.cursor() as cursor:
            cursor.execute(SETTLE)
        Lot.objects.update(look_at="2000-01-01T00:00Z")
        announcement.refresh_from_db()
    told = Event.objects.filter(announcement=announcement).count()
    if told != people:
        raise RuntimeError(f"{told} of {people} were taken")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"people": people, "seconds": seconds, "cpu": cpu, "peak": peak}


if __name__ == "__main__":
    django.setup()
    print(json.dumps(expand(int(sys.argv[1]))))
