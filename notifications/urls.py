"""The pages that customers reach: `path("notifications/", include("notifications.urls"))`."""

from __future__ import annotations

from django.urls import path

from notifications import preference_views

app_name = "notifications"

urlpatterns = [
    path("unsubscribe/<str:token>", preference_views.unsubscribe, name="unsubscribe"),
    path("preferences/<str:token>", preference_views.preferences, name="preferences"),
]
