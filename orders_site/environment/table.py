"""The table of every variable that the shop reads. `docs/settings.md` is made of it."""

from __future__ import annotations

from orders_site.environment.accounts import (
    CONFIGURATION_SET,
    GOOGLE_CREDENTIALS,
    KMS_KEY,
    OTHERS_SECRETS,
    PHONE_NUMBER_ID,
    PREFIX,
    PROJECT,
    REGION,
    SENDER,
    SENDERS,
)
from orders_site.environment.kinds import (
    FLAG,
    HEADER,
    KEYS,
    MAILBOX,
    NETWORKS,
    PORT,
    RATE,
    SECRET,
    SECRETS,
    TEXT,
    TOKEN,
    WORDS,
    choice,
    decimal,
    whole,
)
from orders_site.environment.urls import (
    ADDRESS,
    HOSTS,
    MAIL_SERVER,
    ORIGINS,
    POSTGRESQL,
    SAFE_URL,
    URL,
)
from orders_site.environment.variable import Variable

WEB = ("web",)
WORKER = ("worker",)
MAKE = ("make",)

TABLE: dict[str, tuple[Variable, ...]] = {
    "The first day": (
        Variable(
            "DATABASE_URL",
            POSTGRESQL,
            "PostgreSQL 14 or newer",
            default="",
            without="the embedded one, if `make local` runs",
        ),
        Variable(
            "DJANGO_SECRET_KEY",
            SECRET,
            "signs sessions, forms and the links in mails",
            default="",
            without="`manage.py check` refuses",
        ),
        Variable(
            "ADDRESS_HASH_KEY",
            KEYS,
            "the hash by which addresses are searched; rotated as operating.md says",
            default={1: ""},
            without="`manage.py check` refuses",
        ),
        Variable(
            "ENCRYPTION_KEY",
            KEYS,
            "seals addresses and other people's secrets in the tables; rotated likewise",
            default={1: ""},
            without="`manage.py check` refuses",
        ),
        Variable(
            "PAYMENT_ENDPOINT",
            SAFE_URL,
            "the payment provider's API (`docs/payments.md`), by https://",
            default="",
            without="`manage.py check` refuses",
        ),
        Variable(
            "PAYMENT_API_KEY",
            TOKEN,
            "the key to it",
            default="",
            without="`manage.py check` refuses",
        ),
        Variable(
            "WHATSAPP_PHONE_NUMBER_ID",
            PHONE_NUMBER_ID,
            "the WhatsApp number in End User Messaging Social, or Meta's id of it",
            default="",
            without="`manage.py check` refuses",
        ),
        Variable(
            "AWS_DEFAULT_REGION",
            REGION,
            "the region of SNS, SQS, SES and End User Messaging",
            without="botocore says what is missing",
            read_by="botocore, as its other `AWS_…`",
        ),
        Variable(
            "NOTIFICATIONS_PREFIX",
            PREFIX,
            "the environment: starts every topic's and queue's name. The same in every process",
            default="dev",
        ),
        Variable(
            "DJANGO_ALLOWED_HOSTS",
            HOSTS,
            "the host names of the site, and of the console",
            default=("127.0.0.1", "localhost"),
            used_by=WEB,
        ),
        Variable(
            "DJANGO_CSRF_TRUSTED_ORIGINS",
            ORIGINS,
            "the console's with `https://`",
            default=(),
            used_by=WEB,
        ),
    ),
    "Pages": (
        Variable("DJANGO_DEBUG", FLAG, "tracebacks on pages", default=False, used_by=WEB),
        Variable(
            "DJANGO_HTTPS",
            FLAG,
            "serve by HTTPS alone (`docs/console/security.md`)",
            default=True,
            used_by=WEB,
        ),
        Variable(
            "DJANGO_PROXY_SSL_HEADER",
            HEADER,
            "the header by which your proxy says how it was asked: `X-Forwarded-Proto`",
            default="",
            without="no proxy",
            used_by=WEB,
        ),
        Variable(
            "DJANGO_TRUSTED_PROXIES",
            whole(0, 10),
            "how many of your proxies add to X-Forwarded-For",
            default=0,
            used_by=WEB,
        ),
        Variable(
            "DJANGO_HSTS_SECONDS",
            whole(0, 63_072_000, "seconds"),
            "for how long browsers ask by HTTPS alone",
            default=31_536_000,
            used_by=WEB,
        ),
        Variable(
            "DJANGO_HSTS_SUBDOMAINS",
            FLAG,
            "so do they for the subdomains",
            default=True,
            used_by=WEB,
        ),
        Variable(
            "DJANGO_SESSION_HOURS",
            decimal(0, 8760, "hours"),
            "for how long one stays logged in",
            default=12.0,
            used_by=WEB,
        ),
        Variable(
            "DJANGO_SECRET_KEY_FALLBACKS",
            SECRETS,
            "earlier keys: links in mails that were sent with them go on working",
            default=(),
            without="they end with their key",
        ),
        Variable(
            "DJANGO_STATIC_ROOT",
            TEXT,
            "where `manage.py collectstatic` puts the admin's files, and they are served from then",
            without="served from their packages",
            used_by=WEB,
        ),
        Variable(
            "EDIT_AND_RESEND",
            FLAG,
            "lets operators put facts of one delivery right and resend it "
            "(`docs/console/delivery.md`)",
            default=False,
        ),
    ),
    "Processes": (
        Variable("WEB_BIND", ADDRESS, "gunicorn's address", default="127.0.0.1:8000", used_by=WEB),
        Variable(
            "WEB_CONCURRENCY",
            whole(1, 64),
            "gunicorn's processes (what is no number gunicorn refuses itself, with a traceback)",
            default=1,
            used_by=WEB,
        ),
        Variable("WEB_THREADS", whole(1, 100), "threads of each", default=4, used_by=WEB),
        Variable(
            "WEB_CONSOLE",
            FLAG,
            "whether the console and `/metrics` are served, too; `0` for processes that strangers "
            "reach (`docs/deploying.md`)",
            default=True,
            used_by=WEB,
        ),
        Variable(
            "PROCESS_BIND",
            ADDRESS,
            "where each relay and worker says over HTTP how it does (`docs/deploying.md`)",
            default="",
            without="nowhere",
            used_by=("relay", "worker"),
        ),
        Variable(
            "METRICS_TOKEN",
            SECRET,
            "the bearer token for which `/metrics` answers (`docs/metrics.md`)",
            default="",
            without="there is no such page",
            used_by=WEB,
        ),
        Variable(
            "METRICS_EMF",
            FLAG,
            "print metrics to standard output, in CloudWatch's embedded metric format",
            default=False,
            used_by=("relay", "worker"),
        ),
        Variable(
            "WORKER_CONCURRENCY",
            whole(1, 1000),
            "tasks at once in a worker, as `-c`",
            default=16,
            used_by=WORKER,
        ),
        Variable(
            "WORKER_POOL",
            choice("threads", "prefork"),
            "what runs them, as `-P`: threads, or child processes",
            default="threads",
            used_by=WORKER,
        ),
        Variable(
            "SQS_WAIT_SECONDS",
            whole(1, 20, "seconds"),
            "an idle queue's long poll, and so how long an idle worker takes to stop",
            default=20,
            used_by=WORKER,
        ),
        Variable(
            "DATABASE_POOL_SIZE",
            whole(1, 1000),
            "database connections of a process, at most; not fewer than a worker's concurrency",
            default=20,
        ),
        Variable(
            "FLEET_WEB",
            whole(0, 10_000),
            "how many web machines or pods you plan at most, the console's included, each with "
            "WEB_CONCURRENCY processes; with any of the three the budget above is checked",
            without="no budget; 1 if another is set",
        ),
        Variable(
            "FLEET_RELAYS",
            whole(0, 10_000),
            "how many relays",
            without="no budget; 1 if another is set",
        ),
        Variable(
            "FLEET_WORKERS",
            whole(0, 10_000),
            "how many worker processes",
            without="no budget; 1 if another is set",
        ),
        Variable(
            "FLEET_OTHER_CONNECTIONS",
            whole(0, 10_000),
            "database connections left to commands, migrations and people",
            default=10,
        ),
    ),
    "Logs and traces": (
        Variable(
            "LOG_FORMAT",
            choice("text", "json"),
            "`json`: one object a line (`docs/tracing.md`)",
            default="text",
        ),
        Variable(
            "LOG_LEVEL",
            choice("DEBUG", "INFO", "WARNING", "ERROR"),
            "from which level on the web process and commands log as JSON; a relay has `-v`, a "
            "worker `-l`",
            default="INFO",
        ),
        Variable(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            URL,
            "where spans go, as its other `OTEL_…` say more (`docs/tracing.md`)",
            without="no spans are made",
            read_by="OpenTelemetry, and `notifications.spans`",
        ),
    ),
    "Topology": (
        Variable(
            "NOTIFICATIONS_FIFO_TOPICS",
            WORDS,
            "topics whose events keep their order per subject (`order-events`): FIFO, with the "
            "queues that only they feed (`docs/fifo.md`)",
            default=(),
            without="all standard",
        ),
        Variable(
            "NOTIFICATIONS_QUEUE_RETENTION_DAYS",
            whole(2, 14, "days"),
            "for how long SQS keeps what nobody takes; as the stack's RetentionDays "
            "(`docs/cloudformation.md`)",
            default=14,
        ),
        Variable(
            "NOTIFICATIONS_KMS_KEY",
            KMS_KEY,
            "the ARN of the KMS key that encrypts topics and queues; as the stack's KmsKey",
            default="",
            without="queues by SQS's own key",
        ),
        Variable(
            "FOREIGN_EVENTS",
            WORDS,
            "the event types of which other publishers are believed: `order.shipped`. Anything "
            "else must be in our outbox (`docs/security.md`); set and empty, everything. "
            "`manage.py check --deploy` warns where it is not set",
            without="whoever may publish is believed",
        ),
        Variable(
            "AWS_ENDPOINT_URL",
            URL,
            "another endpoint of AWS; of one service, `AWS_ENDPOINT_URL_SESV2` and the like",
            without="AWS",
            read_by="botocore",
        ),
    ),
    "The shop": (
        Variable("SHOP_NAME", TEXT, "what customers read", default="Harbour & Pine"),
        Variable("SHOP_URL", URL, "where their links lead", default="https://shop.example"),
        Variable(
            "SHOP_SUPPORT_EMAIL", MAILBOX, "whom they may write to", default="help@shop.example"
        ),
        Variable(
            "PUBLIC_URL",
            URL,
            "where customers and providers reach this site: unsubscribe links, receipts over HTTP "
            "(`docs/recipients.md`)",
            without="`SHOP_URL`",
        ),
        Variable(
            "ALLOWED_RECIPIENTS",
            WORDS,
            "on staging, who may be reached, and nobody else: `*@shop.example +4915112345678 "
            "hooks.sandbox.example`. Others are skipped (`not_allowed_here`), whatever an operator "
            "says; set and empty, nobody is reached. `manage.py check --deploy` warns of it",
            without="everybody is reached",
        ),
    ),
    "Email": (
        Variable(
            "EMAIL_FROM",
            MAILBOX,
            "the verified sender in SES",
            default="Harbour & Pine <orders@shop.example>",
        ),
        Variable(
            "EMAIL_URL",
            MAIL_SERVER,
            "a mail server in place of SES: `smtp+tls://user:password@host` (STARTTLS), "
            "`smtps://…` (TLS), `smtp://…` (neither)",
            without="SES",
        ),
        Variable(
            "SES_CONFIGURATION_SET",
            CONFIGURATION_SET,
            "where SES publishes its receipts (`docs/receipts.md`)",
            default="",
            without="no receipts",
        ),
        Variable(
            "EMAIL_RATE_LIMIT",
            RATE,
            "your account's limit, for all workers together; `none` is no limit",
            without="5/s",
            used_by=WORKER,
        ),
    ),
    "SMS": (
        Variable(
            "SMS_ORIGINATION_IDENTITY",
            SENDER,
            "the number or sender id of your SMS",
            default="",
            without="AWS chooses one of yours",
        ),
        Variable(
            "SMS_SENDERS",
            SENDERS,
            "other ones by country: `US=+12065550100 DE=MyShop`",
            default={},
            without="that one for all",
        ),
        Variable(
            "SMS_CONFIGURATION_SET",
            CONFIGURATION_SET,
            "where SMS publishes its receipts",
            default="",
            without="no receipts",
        ),
        Variable(
            "SMS_RATE_LIMIT",
            RATE,
            "your account's limit, in parts of messages",
            without="3/s",
            used_by=WORKER,
        ),
    ),
    "WhatsApp": (
        Variable(
            "WHATSAPP_ACCESS_TOKEN",
            TOKEN,
            "Meta's Cloud API in place of End User Messaging",
            default="",
            without="End User Messaging",
        ),
        Variable(
            "WHATSAPP_ENDPOINT",
            SAFE_URL,
            "where Meta's API is asked: a proxy of your own",
            default="https://graph.facebook.com",
        ),
        Variable(
            "WHATSAPP_OUTSIDE_WINDOW",
            choice("text", "template"),
            "`template`: nothing but templates to who has not written for 24 hours",
            default="text",
        ),
        Variable(
            "WHATSAPP_RATE_LIMIT", RATE, "your number's limit", without="80/s", used_by=WORKER
        ),
    ),
    "Push": (
        Variable(
            "GOOGLE_APPLICATION_CREDENTIALS",
            GOOGLE_CREDENTIALS,
            "the file of the service account by which push is sent",
            without="no push",
            used_by=WORKER,
            read_by="google-auth",
        ),
        Variable(
            "FCM_PROJECT_ID",
            PROJECT,
            "its project",
            default="",
            without="the credentials' own",
        ),
        Variable(
            "FCM_ENDPOINT",
            SAFE_URL,
            "where Google's API is asked: a proxy of your own",
            default="https://fcm.googleapis.com",
        ),
        Variable(
            "PUSH_RATE_LIMIT", RATE, "your project's limit", without="10000/s", used_by=WORKER
        ),
    ),
    "Partners and receipts over HTTP": (
        Variable(
            "WEBHOOK_EVENTS",
            WORDS,
            "which events partners may be posted (`docs/webhooks.md`)",
            default=(),
            without="none",
        ),
        Variable(
            "WEBHOOK_PRIVATE_NETWORKS",
            NETWORKS,
            "networks that are not public, where partners may be all the same: `10.1.0.0/16`",
            default=(),
            without="none",
        ),
        Variable(
            "META_APP_SECRETS",
            OTHERS_SECRETS,
            "whose calls are taken for Meta's (`docs/receipts.md`)",
            default=(),
            without="nobody's: 404",
            used_by=WEB,
        ),
        Variable(
            "META_VERIFY_TOKEN",
            SECRET,
            "the word by which Meta knows that the webhook is ours",
            default="",
            used_by=WEB,
        ),
        Variable(
            "TWILIO_AUTH_TOKENS",
            OTHERS_SECRETS,
            "whose calls are taken for Twilio's",
            default=(),
            without="nobody's: 404",
            used_by=WEB,
        ),
    ),
    "On one's own machine": (
        Variable(
            "LOCAL_AWS",
            choice("ministack", "fauxqs", "account"),
            "which SNS and SQS are started; `account`: none, but your account's are used",
            default="ministack",
            used_by=MAKE,
        ),
        Variable("LOCAL_AWS_PORT", PORT, "its port", without="a free one", used_by=MAKE),
        Variable(
            "LOCAL_POSTGRES_PORT",
            PORT,
            "the embedded PostgreSQL's",
            without="a free one",
            used_by=MAKE,
        ),
        Variable(
            "LOCAL_PROVIDERS_PORT",
            PORT,
            "the provider sandbox's",
            without="a free one",
            used_by=MAKE,
        ),
        Variable(
            "LOCAL_PROVIDERS_SMTP_PORT",
            PORT,
            "its mail server's",
            without="a free one",
            used_by=MAKE,
        ),
        Variable("DEMO_WEB_PORT", PORT, "the demo's pages'", without="a free one", used_by=MAKE),
        Variable(
            "PROVIDER_SANDBOX_URL",
            URL,
            "a sandbox that runs already; `make local` sets it, and the next two",
            without="one is started",
            used_by=MAKE,
        ),
        Variable("PROVIDER_SANDBOX_SMTP", TEXT, "where it takes mail", used_by=MAKE),
        Variable(
            "PROVIDER_SANDBOX_CERTIFICATE", TEXT, "the certificate it does it with", used_by=MAKE
        ),
    ),
}
"""Title → its variables, in the order in which somebody setting up meets them."""

VARIABLES: tuple[Variable, ...] = tuple(each for group in TABLE.values() for each in group)
BY_NAME = {variable.name: variable for variable in VARIABLES}
