"""The shop's settings as the tests use them: the embedded parts come from `tests.stack`."""

import os

os.environ.setdefault("EDIT_AND_RESEND", "1")

from orders_site.settings import *  # noqa: F403
from orders_site.settings import INSTALLED_APPS as OF_THE_SHOP

INSTALLED_APPS = [*OF_THE_SHOP, "tests.quick_flush"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
