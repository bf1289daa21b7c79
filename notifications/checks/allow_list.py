"""System checks of the allow-list: one that shuts nobody out, and one where customers order."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning

from notifications import allow_list
from notifications.conf import conf


def check_allow_list() -> Iterator[CheckMessage]:
    """No entry stands for everybody."""
    for entry in allow_list.too_wide(conf().allowed_recipients or ()):
        yield Error(
            f'NOTIFICATIONS["ALLOWED_RECIPIENTS"] has the entry {entry!r}, which is everybody, or '
            "nobody.",
            hint='Name addresses or their domain ("*@shop.example"); None allows everybody.',
            id="notifications.E033",
        )


def check_no_allow_list() -> Iterator[CheckMessage]:
    """Before a deployment (`manage.py check --deploy`): where customers order there is none."""
    allowed = conf().allowed_recipients
    if allowed is not None:
        yield Warning(
            f'NOTIFICATIONS["ALLOWED_RECIPIENTS"] allows {len(allowed)} entries: nobody else is '
            "told anything from here.",
            hint="That is meant for staging. Where customers order, leave ALLOWED_RECIPIENTS out "
            "of the environment.",
            id="notifications.W034",
        )
