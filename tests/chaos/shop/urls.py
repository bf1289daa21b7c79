from django.urls import path

from orders_site.urls import urlpatterns as pages
from tests.chaos.shop import checkout

urlpatterns = [
    *pages,
    path("checkout", checkout.place),
    path("orders/<int:order>/ship", checkout.ship),
    path("orders/<int:order>/cancel", checkout.cancel),
    path("orders/<int:order>/refund", checkout.refund),
]
