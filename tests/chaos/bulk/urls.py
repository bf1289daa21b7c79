from django.urls import path

from orders_site.urls import urlpatterns as pages
from tests.chaos.bulk import office

urlpatterns = [*pages, path("announcements", office.announce)]
