"""Settings of the shop. Everything that differs between machines comes from the environment, by the
table in `orders_site.environment`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import cast

from django.utils.translation import gettext_lazy as _

from notifications import log_config
from notifications.conf import (
    Category,
    ChannelConf,
    Editable,
    Objective,
    ReceiptWebhooks,
    Route,
)
from orders_site import channels, environment, fleet
from orders_site.environment import read

BASE_DIR = Path(__file__).resolve().parent.parent
environment.load(BASE_DIR / ".local" / "env")

DEBUG = read("DJANGO_DEBUG")
SECRET_KEY = read("DJANGO_SECRET_KEY")
# Earlier ones: the links in mails that were sent with them go on working.
SECRET_KEY_FALLBACKS = read("DJANGO_SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = read("DJANGO_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = read("DJANGO_CSRF_TRUSTED_ORIGINS")
CSRF_FAILURE_VIEW = "notifications.turned_away.stale_page"

# Pages are served by HTTPS alone, and browsers told to ask for nothing else. "0" on one's own
# machine; `make local` and the demo say so by themselves.
HTTPS = read("DJANGO_HTTPS")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = read("DJANGO_HSTS_SECONDS") if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = read("DJANGO_HSTS_SUBDOMAINS")
# The header by which your proxy says how it was asked ("X-Forwarded-Proto"). It must remove what
# a visitor sends under that name.
if _header := read("DJANGO_PROXY_SSL_HEADER"):
    SECURE_PROXY_SSL_HEADER = (f"HTTP_{_header.upper().replace('-', '_')}", "https")
SESSION_COOKIE_AGE = int(read("DJANGO_SESSION_HOURS") * 3600)

SHOP = {
    "name": read("SHOP_NAME"),
    "url": read("SHOP_URL"),
    "support_email": read("SHOP_SUPPORT_EMAIL"),
}

ANALYTICS = {"kept_days": 400}
"""For how many days each event is kept by itself; the daily figures made of them stay."""

if read("LOG_FORMAT") == "json":
    LOGGING = log_config.django(read("LOG_LEVEL"))

DATABASES = {
    "default": environment.database(read("DATABASE_URL"), pool_size=read("DATABASE_POOL_SIZE"))
}

INSTALLED_APPS = [
    "notifications.console.apps.ConsoleConfig",  # django.contrib.admin with the console
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
    "notifications.health.HealthMiddleware",  # first: whoever probes knows no host's name
    "notifications.middleware.TraceMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "notifications.console.headers.HeadersMiddleware",
    "orders_site.api.middleware.ApiMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "orders_site.urls" if read("WEB_CONSOLE") else "orders_site.public_urls"
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
STATIC_ROOT = read("DJANGO_STATIC_ROOT")
WHITENOISE_USE_FINDERS = not STATIC_ROOT  # else the admin's files are served from their packages

CELERY_RESULT_BACKEND = "django-db"  # failed tasks, for the admin; success costs no row

PAYMENTS = {  # the arguments of `orders_site.payments.httpx_provider.HttpxProvider`
    "endpoint": read("PAYMENT_ENDPOINT"),
    "api_key": read("PAYMENT_API_KEY"),
}

NOTIFICATIONS = {
    "PREFIX": read("NOTIFICATIONS_PREFIX"),
    "SOURCE": "urn:orders-site",
    # The topics whose events keep their order per subject: "order-events".
    "FIFO_TOPICS": read("NOTIFICATIONS_FIFO_TOPICS"),
    # How long SQS keeps what nobody takes; the KMS key that encrypts it (docs/cloudformation.md).
    "QUEUE_RETENTION_DAYS": read("NOTIFICATIONS_QUEUE_RETENTION_DAYS"),
    "KMS_KEY": read("NOTIFICATIONS_KMS_KEY"),
    # What others than this shop may say: "order.shipped". Not set: whoever may publish is believed
    # in all; empty: nobody but our own outbox is.
    "FOREIGN_EVENTS": read("FOREIGN_EVENTS"),
    "CHANNELS": {
        "email": channels.email(),
        "sms": channels.sms(),
        "whatsapp": channels.whatsapp(),
        "push": ChannelConf(
            "notifications.channels.push.FcmPush",
            {"project_id": read("FCM_PROJECT_ID"), "endpoint": read("FCM_ENDPOINT")},
        ),
        "webhook": ChannelConf(
            "notifications.channels.webhook.SignedWebhook",
            # What may be reached though it is not public; the provider sandbox is on this machine.
            {"private_networks": read("WEBHOOK_PRIVATE_NETWORKS")},
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
    "PUBLIC_URL": read("PUBLIC_URL") or SHOP["url"],  # news says there how to unsubscribe
    "PUBLIC_NAME": SHOP["name"],
    # Secrets by which Meta's and Twilio's calls are known; without any, nobody's are taken.
    "RECEIPT_WEBHOOKS": ReceiptWebhooks(
        meta_app_secrets=tuple(read("META_APP_SECRETS")),
        meta_verify_token=read("META_VERIFY_TOKEN"),
        twilio_auth_tokens=tuple(read("TWILIO_AUTH_TOKENS")),
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
    # How many processes are planned; `manage.py check --database default` adds up what they open.
    "FLEET": fleet.planned(),
    "CELERY": "celeryconfig",
    # The bearer token for which /metrics answers; not set: there is no such page.
    "METRICS_TOKEN": read("METRICS_TOKEN"),
    # Whether relays and workers print their metrics for CloudWatch.
    "METRICS_EMF": read("METRICS_EMF"),
    "TRUSTED_PROXIES": read("DJANGO_TRUSTED_PROXIES"),
    # Where each worker and relay says how it does: "127.0.0.1:9464". Not set: nowhere.
    "PROCESS_BIND": read("PROCESS_BIND"),
    "STILL_TRUE": "orders_site.recipients.no_longer_true",
    # What an operator may put right for one delivery before it is sent again.
    "EDITABLE": (
        {
            "order.shipped": Editable(free=("carrier",)),
            "shop.news": Editable(free=("until",), sensitive=("code",)),
        }
        if read("EDIT_AND_RESEND")
        else {}
    ),
    # How soon customers are told, and of how many it must be true (docs/objectives.md).
    "OBJECTIVES": {
        "order.created": Objective(part=0.95, within=timedelta(seconds=60)),
        "order.shipped": Objective(part=0.95, within=timedelta(minutes=5)),
        "payment.failed": Objective(part=0.99, within=timedelta(minutes=5)),
    },
    "ADDRESS_GONE": "orders_site.recipients.forget_device",
    # On staging, who may be reached: "*@shop.example +4915112345678". Nobody else is, whatever is
    # in the database. Not set: everybody; empty: nobody.
    "ALLOWED_RECIPIENTS": read("ALLOWED_RECIPIENTS"),
    "TIMELINE": "orders_site.timeline.entries",
    "FORGET": "orders_site.recipients.forget",
    # version: secret. Raise the version to rotate; the highest one writes.
    "ADDRESS_HASH_KEYS": read("ADDRESS_HASH_KEY"),
    "ENCRYPTION_KEYS": read("ENCRYPTION_KEY"),
}
_routes = cast(dict[str, list[Route]], NOTIFICATIONS["ROUTES"])
for _event_type in read("WEBHOOK_EVENTS"):  # those that partners may have
    _routes.setdefault(_event_type, []).append(Route("webhook"))
