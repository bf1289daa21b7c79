from tests.announcements import settings as announcements
from tests.announcements.settings import *  # noqa: F403
from tests.chaos.shop.settings import impatient

ROOT_URLCONF = "tests.chaos.bulk.urls"
NOTIFICATIONS = impatient(announcements.NOTIFICATIONS)
