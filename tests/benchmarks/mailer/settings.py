"""Its Django settings; the embedded parts come by the environment."""

from notifications.conf import ChannelConf, Route
from tests.benchmarks.project.settings import *  # noqa: F403
from tests.benchmarks.project.settings import INSTALLED_APPS, NOTIFICATIONS

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "tests.benchmarks.mailer"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
NOTIFICATIONS = {
    **NOTIFICATIONS,
    "CHANNELS": {
        "email": ChannelConf(
            "notifications.channels.email.SesEmail", {"from_address": "shop@example.org"}
        )
    },
    "ROUTES": {"bench.ordered": [Route("email")]},
    "RECIPIENTS": "tests.benchmarks.mailer.recipients.resolve",
    "CONTEXT": "tests.benchmarks.mailer.recipients.context",
    "STILL_TRUE": "tests.benchmarks.mailer.recipients.no_longer_true",
}
