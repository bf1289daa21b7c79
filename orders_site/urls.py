"""The shop's pages: the operators' admin, the order API, and where people unsubscribe
and providers call."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from orders_site.api.urls import api

admin.site.site_header = f"{settings.SHOP['name']}: operations"
admin.site.site_title = settings.SHOP["name"]
admin.site.index_title = "Orders, customers and what they were told"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/", api.urls),
    path("notifications/", include("notifications.urls")),
]
