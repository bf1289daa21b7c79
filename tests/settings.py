"""The shop's settings as the tests use them: the embedded parts come from `tests.stack`."""

from orders_site.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
