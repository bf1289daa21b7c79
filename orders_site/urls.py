"""The shop's pages: for now, the operators' admin."""

from django.conf import settings
from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

admin.site.site_header = f"{settings.SHOP['name']}: operations"
admin.site.site_title = settings.SHOP["name"]
admin.site.index_title = "Orders, customers and what they were told"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]
