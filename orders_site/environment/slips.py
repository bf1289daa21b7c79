"""Slips: variables that look like ours and are none, which nobody would ever read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from orders_site.environment.table import BY_NAME

OURS = ("NOTIFICATIONS_", "FLEET_")
"""What begins so can be meant for nobody else."""

OTHERS = ("AWS_", "GOOGLE_", "OTEL_", "NOTIFICATIONS_WORKER_RESTARTS")
"""Near to ours, and read: by botocore (AWS_ENDPOINT_URL_SNS), by google-auth, by OpenTelemetry; and
what a worker tells itself (`notifications.worker.restart`)."""

NEAR = 0.85
"""Of difflib's ratio: one letter in eight is wrong, missing or too many. Kubernetes sets names such
as WEB_PORT for its services, which are farther off."""


REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""Other SDKs of AWS read the first, and platforms set it; botocore reads the second alone."""


def slips(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each name that looks like one of the table and is not in it, with the nearest that is."""
    region, read = REGION
    if environ.get(region) and not environ.get(read):
        yield REGION
    for name in sorted(environ.keys() - BY_NAME.keys()):
        if not name.startswith(OTHERS):
            ours = next(filter(name.startswith, OURS), "")
            among = [known for known in BY_NAME if known.startswith(ours)]
            cutoff = 0.0 if ours else NEAR
            for nearest in get_close_matches(name.upper(), among, n=1, cutoff=cutoff):
                yield name, nearest
