"""Where Prometheus asks how the fleet does, and who shows METRICS_TOKEN is answered:

path("metrics", include("notifications.metrics.urls"))
"""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from notifications.conf import conf
from notifications.metrics.exposition import exposition, may_have

app_name = "notifications-metrics"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Waits some seconds for SQS and the database, at most."""
    if not conf().metrics_token:
        raise Http404("METRICS_TOKEN is not set")
    if not may_have(request.headers.get("Authorization", "")):
        return HttpResponse(
            "Authorization: Bearer METRICS_TOKEN is missing, or is another\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    content_type, body = exposition(fleet=True)
    return HttpResponse(body, content_type=content_type)


urlpatterns = [path("", metrics, name="metrics")]
