"""All that a project needs. libpq finds the server by PGHOST and its kin."""

from notifications.conf import ChannelConf, Route

SECRET_KEY = "a library's secret"
INSTALLED_APPS = ["django_celery_results", "notifications", "library"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "library",
        "OPTIONS": {"pool": True},
    }
}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
USE_TZ = True
NOTIFICATIONS = {
    "PREFIX": "library",
    "CHANNELS": {
        "email": ChannelConf(
            "notifications.channels.email.SesEmail", {"from_address": "desk@library.example"}
        )
    },
    "ROUTES": {"book.due": [Route("email")]},
    "RECIPIENTS": "library.readers.resolve",
    "ADDRESS_HASH_KEYS": {1: "another secret of the library's"},
    "ENCRYPTION_KEYS": {1: "a third secret of the library's"},
}
