"""Its Django settings: impatient channels, so that a provider that hangs is given up in time."""

from notifications.conf import ChannelConf, Route
from tests.benchmarks.project.settings import *  # noqa: F403
from tests.benchmarks.project.settings import INSTALLED_APPS, NOTIFICATIONS

_IMPATIENT = {"connect_timeout": 1.0, "read_timeout": 2.0}

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "tests.benchmarks.limited"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
NOTIFICATIONS = {
    **NOTIFICATIONS,
    "CHANNELS": {
        "email": ChannelConf(
            "notifications.channels.email.SesEmail",
            {"from_address": "shop@example.org", **_IMPATIENT},
        ),
        "sms": ChannelConf(
            "notifications.channels.sms.EndUserMessagingSms",
            {"origination_identity": "+15005550006", **_IMPATIENT},
        ),
    },
    "ROUTES": {"bench.ordered": [Route("email"), Route("sms")]},
    "RECIPIENTS": "tests.benchmarks.limited.recipients.resolve",
    "CONTEXT": "tests.benchmarks.limited.recipients.context",
    "STILL_TRUE": "tests.benchmarks.limited.recipients.no_longer_true",
}
