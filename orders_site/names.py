"""The names of the shop's fields on pages, as `notifications.names` has those of its own."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

APPS = ("analytics", "api", "customers", "inventory", "orders", "payments")

FIELDS: Mapping[str, Promise] = {
    "announcing_by": _("announcing by"),
    "announcing_reason": _("announcing reason"),
    "cancel_reason": _("cancel reason"),
    "cancelled_at": _("cancelled at"),
    "carrier": _("carrier"),
    "client": _("client"),
    "country": _("country"),
    "created_at": _("created at"),
    "created_by": _("created by"),
    "currency": _("currency"),
    "customer": _("customer"),
    "day": _("day"),
    "decline_code": _("decline code"),
    "email": _("email"),
    "email_consent": _("email consent"),
    "events": _("events"),
    "first_name": _("first name"),
    "key": _("key"),
    "last_name": _("last name"),
    "locale": _("locale"),
    "low_since": _("low since"),
    "may_announce": _("may announce"),
    "name": _("name"),
    "old_token_until": _("old token until"),
    "on_hand": _("on hand"),
    "order": _("order"),
    "orders_cancelled": _("orders cancelled"),
    "orders_placed": _("orders placed"),
    "orders_shipped": _("orders shipped"),
    "payments_failed": _("payments failed"),
    "phone": _("phone"),
    "placed_at": _("placed at"),
    "platform": _("platform"),
    "product": _("product"),
    "provider_id": _("provider id"),
    "push_consent": _("push consent"),
    "quantity": _("quantity"),
    "rate_per_minute": _("rate per minute"),
    "reason": _("reason"),
    "refunded_at": _("refunded at"),
    "reorder_threshold": _("reorder threshold"),
    "revoke_reason": _("revoke reason"),
    "revoked_at": _("revoked at"),
    "revoked_by": _("revoked by"),
    "settled_at": _("settled at"),
    "shipped_at": _("shipped at"),
    "sku": _("SKU"),
    "sms_consent": _("sms consent"),
    "time_zone": _("time zone"),
    "token": _("token"),
    "tracking_code": _("tracking code"),
    "whatsapp": _("whatsapp"),
    "whatsapp_consent": _("whatsapp consent"),
}
