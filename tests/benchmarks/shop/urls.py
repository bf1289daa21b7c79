"""The shop's addresses, and `/peer/orders`."""

from django.urls import path

from orders_site.urls import urlpatterns as shop
from tests.benchmarks.shop.in_request import api

urlpatterns = [*shop, path("peer/", api.urls)]
