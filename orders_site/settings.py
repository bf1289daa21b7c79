"""Settings of the shop. Everything that differs between machines comes from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from django.utils.translation import gettext_lazy as _

from notifications.conf import Category, ChannelConf, ReceiptWebhooks, Route
from orders_site import channels, environment

BASE_DIR = Path(__file__).resolve().parent.parent
environment.load(BASE_DIR / ".local" / "env")

DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "")
# Earlier ones: the links in mails that were sent with them go on working.
SECRET_KEY_FALLBACKS = os.environ.get("DJANGO_SECRET_KEY_FALLBACKS", "").split()
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "127.0.0.1 localhost").split()
CSRF_TRUSTED_ORIGINS = os.environ.get("DJANGO_CSRF_TRUSTED_ORIGINS", "").split()

SHOP = {
    "name": os.environ.get("SHOP_NAME", "Harbour & Pine"),
    "url": os.environ.get("SHOP_URL", "https://shop.example").rstrip("/"),
    "support_email": os.environ.get("SHOP_SUPPORT_EMAIL", "help@shop.example"),
}

ANALYTICS = {"kept_days": 400}
"""For how many days each event is kept by itself; the daily figures made of them stay."""

DATABASES = {
    "default": environment.database(
        os.environ.get("DATABASE_URL", ""),
        pool_size=int(os.environ.get("DATABASE_POOL_SIZE", "20")),
    )
}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_celery_results",
    "ninja",  # for its OpenAPI page, whose files are then served from here
    "notifications",
    "orders_site",
    "orders_site.customers",
    "orders_site.orders",
    "orders_site.inventory",
    "orders_site.analytics",
    "orders_site.payments",
    "orders_site.api",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "orders_site.api.middleware.ApiMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "orders_site.urls"
WSGI_APPLICATION = "orders_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "orders_site" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
LANGUAGES = [  # how money and dates are written to customers; templates know English and German
    ("en", "English"),
    ("en-gb", "British English"),
    ("en-au", "Australian English"),
    ("de", "German"),
]
TIME_ZONE = "UTC"
USE_TZ = True
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("DJANGO_STATIC_ROOT")  # set it to collect files for a CDN
WHITENOISE_USE_FINDERS = True  # the admin's files are served from their packages, no collectstatic

CELERY_RESULT_BACKEND = "django-db"  # failed tasks, for the admin; success costs no row

PAYMENTS = {  # the arguments of `orders_site.payments.httpx_provider.HttpxProvider`
    "endpoint": os.environ.get("PAYMENT_ENDPOINT", ""),
    "api_key": os.environ.get("PAYMENT_API_KEY", ""),
}

NOTIFICATIONS = {
    "PREFIX": os.environ.get("NOTIFICATIONS_PREFIX", "dev"),
    "SOURCE": "urn:orders-site",
    # The topics whose events keep their order per subject: "order-events".
    "FIFO_TOPICS": os.environ.get("NOTIFICATIONS_FIFO_TOPICS", "").split(),
    "CHANNELS": {
        "email": channels.email(os.environ),
        "sms": channels.sms(os.environ),
        "whatsapp": channels.whatsapp(os.environ),
        "push": ChannelConf(
            "notifications.channels.push.FcmPush",
            {
                "project_id": os.environ.get("FCM_PROJECT_ID", ""),
                "endpoint": os.environ.get("FCM_ENDPOINT", "https://fcm.googleapis.com"),
            },
        ),
        "webhook": ChannelConf(
            "notifications.channels.webhook.SignedWebhook",
            # What may be reached though it is not public; the provider sandbox is on this machine.
            {"private_networks": os.environ.get("WEBHOOK_PRIVATE_NETWORKS", "").split()},
        ),
    },
    # Which event is told over which channels: this table and nothing else.
    "ROUTES": {
        "order.created": [Route("email"), Route("push")],
        "order.shipped": [Route("email"), Route("sms"), Route("whatsapp"), Route("push")],
        "order.cancelled": [Route("email"), Route("sms")],
        "order.refunded": [Route("email")],
        "payment.completed": [Route("email"), Route("push")],
        "payment.failed": [Route("email"), Route("sms")],
        "shop.news": [Route("email"), Route("sms"), Route("whatsapp"), Route("push")],
    },
    # What people may say yes or no to; what no event type names another for is "service".
    "CATEGORIES": {"news": Category(_("News and offers"))},
    "PUBLIC_URL": os.environ.get("PUBLIC_URL", SHOP["url"]),  # news says there how to unsubscribe
    "PUBLIC_NAME": SHOP["name"],
    # Secrets by which Meta's and Twilio's calls are known; without any, nobody's are taken.
    "RECEIPT_WEBHOOKS": ReceiptWebhooks(
        meta_app_secrets=tuple(os.environ.get("META_APP_SECRETS", "").split()),
        meta_verify_token=os.environ.get("META_VERIFY_TOKEN", ""),
        twilio_auth_tokens=tuple(os.environ.get("TWILIO_AUTH_TOKENS", "").split()),
    ),
    "RECIPIENTS": "orders_site.recipients.resolve",
    "CONTEXT": "orders_site.recipients.context",
    # What templates that staff edit may include and extend.
    "TEMPLATE_PARTIALS": [
        "notifications/layout.html",
        "notifications/layout.de.html",
        "notifications/lines.html",
        "notifications/*/why.txt",
    ],
    "STILL_TRUE": "orders_site.recipients.no_longer_true",
    "ADDRESS_GONE": "orders_site.recipients.forget_device",
    # On staging, who may be reached: "*@shop.example +4915112345678". Nobody else is, whatever is
    # in the database. Not set: everybody; empty: nobody.
    "ALLOWED_RECIPIENTS": environment.words("ALLOWED_RECIPIENTS"),
    "TIMELINE": "orders_site.timeline.entries",
    "FORGET": "orders_site.recipients.forget",
    # version: secret. Raise the version to rotate; the highest one writes.
    "ADDRESS_HASH_KEYS": {1: os.environ.get("ADDRESS_HASH_KEY", "")},
    "ENCRYPTION_KEYS": {1: os.environ.get("ENCRYPTION_KEY", "")},
}
_routes = cast(dict[str, list[Route]], NOTIFICATIONS["ROUTES"])
for _event_type in os.environ.get("WEBHOOK_EVENTS", "").split():  # those that partners may have
    _routes.setdefault(_event_type, []).append(Route("webhook"))
