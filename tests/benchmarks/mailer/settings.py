"""Its Django settings; the embedded parts come by the environment.

BENCH_IDLE, seconds, puts a provider that is not there in the place of SES.
"""

import os

from notifications.conf import ChannelConf, Route
from tests.benchmarks.project.settings import *  # noqa: F403
from tests.benchmarks.project.settings import INSTALLED_APPS, NOTIFICATIONS

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "tests.benchmarks.mailer"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

_SES = ChannelConf("notifications.channels.email.SesEmail", {"from_address": "shop@example.org"})
_IDLE = ChannelConf(
    "tests.benchmarks.mailer.idle.IdleEmail", {"seconds": float(os.environ.get("BENCH_IDLE", "0"))}
)
NOTIFICATIONS = {
    **NOTIFICATIONS,
    "CHANNELS": {"email": _IDLE if "BENCH_IDLE" in os.environ else _SES},
    "ROUTES": {"bench.ordered": [Route("email")]},
    "RECIPIENTS": "tests.benchmarks.mailer.recipients.resolve",
    "CONTEXT": "tests.benchmarks.mailer.recipients.context",
    "STILL_TRUE": "tests.benchmarks.mailer.recipients.no_longer_true",
}
