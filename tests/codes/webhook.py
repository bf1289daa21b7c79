"""Partners' own endpoints: they have no codes but those of HTTP."""

from __future__ import annotations

from tests.codes.base import Meaning, Table, rows

WEBHOOK = Table(
    "webhook",
    "Webhook: a partner's endpoint (`SignedWebhook`)",
    (
        "HTTP Semantics, RFC 9110, 15; Additional HTTP Status Codes, RFC 6585",
        "Standard Webhooks 1.0.0, Deliverability and reliability",
    ),
    (
        *rows(
            Meaning.TRANSIENT,
            {
                "http_408": "it waited too long for our request",
                "http_425": "too early",
                "http_429": "too many requests",
                "http_500": "an error inside the endpoint",
                "http_502": "a server in front of it got no good answer",
                "http_503": "overloaded or in maintenance",
                "http_504": "a server in front of it got no answer in time",
            },
        ),
        *rows(
            Meaning.PERMANENT,
            {
                "http_302": "a redirect: it would lead where nobody has looked",
                "http_400": "it cannot read the event",
                "http_401": "it does not take our signature",
                "http_403": "it does not want it",
                "http_404": "there is nothing at this path",
                "http_410": "gone for good: its endpoint is disabled",
                "http_422": "it cannot use the event",
            },
        ),
    ),
    note="Every failure is the endpoint's own: the channel's account is never stopped for it "
    "(`docs/webhooks.md`). Before anything is sent: `not_resolved`, `certificate_refused` and "
    "`no_secret` are tried again, `private_address` and `no_endpoint` given up.",
)
