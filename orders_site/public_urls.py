"""What strangers reach: the order API, and where people unsubscribe and providers call.

All that a web process with WEB_CONSOLE=0 answers. It asks nothing of AWS, so its role has no right.
"""

from django.urls import include, path

from orders_site.api.urls import api

urlpatterns = [
    path("api/", api.urls),
    path("notifications/", include("notifications.urls")),
]

handler403 = "notifications.turned_away.no_right"
handler404 = "notifications.turned_away.no_page"
handler500 = "notifications.server_error.server_error"
