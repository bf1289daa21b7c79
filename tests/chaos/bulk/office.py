"""Where announcements are made from."""

from __future__ import annotations

import json

from django.db import IntegrityError, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tests.announcements.announce import tell


@csrf_exempt
@require_POST
def announce(request: HttpRequest) -> JsonResponse:
    """{"numbers": [n, …]}: these customers and their announcements, all or none. 409: they have
    been told before."""
    numbers = json.loads(request.body)["numbers"]
    try:
        with transaction.atomic():
            for number in numbers:
                tell(number)
    except IntegrityError:  # their addresses are there already
        return JsonResponse({"told": 0}, status=409)
    return JsonResponse({"told": len(numbers)}, status=201)
