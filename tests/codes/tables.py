"""All tables, in the order in which docs/channels.md shows them."""

from __future__ import annotations

from tests.codes.base import Table
from tests.codes.fcm import FCM
from tests.codes.meta import CLOUD_API, SOCIAL
from tests.codes.ses import SES
from tests.codes.sms import SMS
from tests.codes.smtp import ANYMAIL, SMTP
from tests.codes.webhook import WEBHOOK

TABLES: tuple[Table, ...] = (SES, SMTP, ANYMAIL, SMS, SOCIAL, CLOUD_API, FCM, WEBHOOK)
