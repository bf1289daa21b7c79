"""The shop's pages: what strangers reach, and the operators' console with what Prometheus asks."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from orders_site import public_urls

admin.site.site_header = f"{settings.SHOP['name']}: operations"
admin.site.site_title = settings.SHOP["name"]
admin.site.index_title = "Orders, customers and what they were told"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("metrics", include("notifications.metrics.urls")),
    *public_urls.urlpatterns,
]

handler403 = public_urls.handler403
handler404 = public_urls.handler404
handler500 = public_urls.handler500
