"""Since when something waits to be published: also while each try fails and is put off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from notifications import needs
from notifications.models import Dispatch
from notifications.needs import Kind
from tests.integration.operator_rows import make_event

pytestmark = pytest.mark.django_db

AGO = timedelta(minutes=5)


def failed(dispatch: Dispatch, *, times: int = 1) -> None:
    for _ in range(times):
        Dispatch.objects.filter(pk=dispatch.pk).update(available_at=timezone.now())
        [claimed] = Dispatch.objects.claim(1)
        assert claimed.token is not None
        Dispatch.objects.back_off(claimed.token, {claimed.pk: "SNS is away"})


def unpublished() -> needs.Need | None:
    return next((need for need in needs.now() if need.kind is Kind.UNPUBLISHED), None)


def test_what_fails_is_overdue_since_it_was_recorded_not_since_its_next_try() -> None:
    make_event()
    dispatch = Dispatch.objects.get()
    Dispatch.objects.update(created_at=timezone.now() - AGO)
    failed(dispatch)

    oldest = Dispatch.objects.oldest_due()
    assert oldest is not None
    assert timezone.now() - oldest >= AGO
    found = unpublished()
    assert found is not None
    assert (found.count, found.since) == (1, oldest)


def test_what_is_put_off_on_purpose_is_not_overdue() -> None:
    event = make_event()
    Dispatch.objects.all().delete()
    in_the_morning = timezone.now() + timedelta(hours=8)
    Dispatch.objects.postpone(event.envelope(), queue="email", until=in_the_morning)
    assert Dispatch.objects.oldest_due() is None
    assert unpublished() is None


def test_what_was_ordered_later_is_told_once_it_has_failed_for_a_minute() -> None:
    event = make_event()
    Dispatch.objects.all().delete()
    dispatch = Dispatch.objects.postpone(event.envelope(), queue="email", until=timezone.now())
    failed(dispatch, times=needs.MANY_TRIES - 1)
    assert unpublished() is None
    failed(dispatch)
    assert unpublished() is not None
