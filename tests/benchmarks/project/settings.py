"""Its Django settings; the embedded parts come by the environment."""

import os

from orders_site import environment

SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
DATABASES = {"default": environment.database(os.environ["DATABASE_URL"], pool_size=20)}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django_celery_results",
    "notifications",
    "tests.benchmarks.project",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
NOTIFICATIONS = {
    "PREFIX": "bench",
    "SOURCE": "urn:benchmarks",
    "ADDRESS_HASH_KEYS": {1: os.environ["ADDRESS_HASH_KEY"]},
    "ENCRYPTION_KEYS": {1: os.environ["ENCRYPTION_KEY"]},
}
