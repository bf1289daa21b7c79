"""`python -m tests.benchmarks.desk`: an operator's session, one page for each line of input.

Asks Django's test client, so the whole WSGI stack, and answers with a line of JSON: the seconds it
took, the queries (counted when the line begins with COUNTED, which takes time) and where the next
page of the list is. ANEW in it: nothing is known of SQS, as when nobody looked for some seconds.
The first line that it prints says where the pages are. Before a page, and not in its seconds, the
relays' chores are done that are due.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import nullcontext, suppress
from html import unescape

import django
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.benchmarks.past import OPERATOR

COUNTED = "counted"
ANEW = "anew"
CHORES_EVERY = 15.0
"""Seconds, as of the relays."""
_NEXT = re.compile(r'<a href="([^"]+)" rel="next">')


def main() -> None:
    django.setup()
    from django.contrib.auth.models import User
    from django.urls import NoReverseMatch, reverse

    from notifications import depths, objectives, progress, throughput

    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username=OPERATOR))
    places = {"deliveries": reverse("admin:notifications_delivery_changelist")}
    with suppress(NoReverseMatch):  # where there is one
        places["overview"] = f"{ANEW} {reverse('admin:console_overview')}"
        places["overview, again within 3 s"] = reverse("admin:console_overview")
    print(json.dumps(places), flush=True)
    chores_due = 0.0
    for line in sys.stdin:
        *how, path = line.split()
        if time.monotonic() >= chores_due:
            progress.remember(using="default", go_on=lambda: True)
            for measure in (throughput, objectives):
                measure.roll_up(using="default", go_on=lambda: True)
            chores_due = time.monotonic() + CHORES_EVERY
        if ANEW in how:
            depths.forget()
        with CaptureQueriesContext(connection) if COUNTED in how else nullcontext([]) as queries:
            started = time.perf_counter()
            response = client.get(path)
            seconds = time.perf_counter() - started
        if response.status_code != 200:
            raise SystemExit(f"{path}: {response.status_code}")
        following = _NEXT.search(response.content.decode())
        answer = {
            "seconds": seconds,
            "queries": len(queries),
            "next": unescape(following[1]) if following else "",
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
