"""What customers and providers reach: `path("notifications/", include("notifications.urls"))`."""

from __future__ import annotations

from django.urls import path

from notifications import preference_views, receipt_calls

app_name = "notifications"

urlpatterns = [
    path("unsubscribe/<str:token>", preference_views.unsubscribe, name="unsubscribe"),
    path("preferences/<str:token>", preference_views.preferences, name="preferences"),
    path("receipts/meta", receipt_calls.meta, name="receipts-meta"),
    path("receipts/twilio", receipt_calls.signed_form, name="receipts-twilio"),
]
