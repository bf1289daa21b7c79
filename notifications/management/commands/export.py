"""`manage.py export`: the rows of a list of the admin as CSV, as its page exports them."""

from __future__ import annotations

import contextlib
from argparse import ArgumentTypeError
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth import get_user_model
from django.contrib.messages import MessageFailure
from django.core.management.base import CommandError, CommandParser
from django.test import RequestFactory

from notifications.admin.changelist import KeysetChangeList
from notifications.admin.export import MOST, Export
from notifications.admin.facts import FactsAdmin
from notifications.management.verbs import ChangingCommand, plain_refusals, whoever
from notifications.patience import TookTooLong


class Command(ChangingCommand):
    help = (
        "Print the rows of a list of the admin as CSV, masked as there. The filters are those in "
        f"the address of the list: `export delivery state=failed since=2h`, and {SEARCH_VAR}=… for "
        "its search. It is written down who had what."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("list", help="whose rows: delivery, deadletter, event, …")
        parser.add_argument("filter", nargs="*", type=_pair, help="name=value, as in the address")
        parser.add_argument("--most", type=_most, default=MOST, help="rows, at most (%(default)s)")
        parser.add_argument("--by", default="", help="who wants it (the system's user)")

    @plain_refusals()
    def handle(self, *, list: str, filter: list[tuple[str, str]], **options: Any) -> None:
        by = whoever(options["by"])
        try:
            changelist = _list(_admin(list), filter, by=by)
            export = Export(changelist, by=by, most=options["most"])
            with contextlib.closing(export):
                for text in export:
                    self.stdout.write(text, ending="")
        except DisallowedModelAdminLookup:
            known = ", ".join(_filters(_admin(list)))
            raise CommandError(f"The filters of this list are: {known}.") from None
        except IncorrectLookupParameters as error:
            raise CommandError(f"The filter makes no sense: {error}") from None
        except MessageFailure:
            raise CommandError(f"{SEARCH_VAR} holds what cannot be searched for.") from None
        except TookTooLong:
            raise CommandError("This took too long: narrow the filter.") from None


def _pair(text: str) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not is_pair:
        raise ArgumentTypeError(f"{text!r} is no filter: give name=value")
    return name, value


def _most(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _admin(name: str) -> FactsAdmin[Any]:
    known = {
        str(model._meta.model_name): page
        for model, page in admin.site._registry.items()
        if isinstance(page, FactsAdmin)
    }
    if name not in known:
        raise CommandError(f"There is no list {name!r}; there are: {', '.join(sorted(known))}.")
    return known[name]


def _filters(page: FactsAdmin[Any]) -> list[str]:
    return sorted({*page.filter_names(), SEARCH_VAR})


def _list(page: FactsAdmin[Any], filters: list[tuple[str, str]], *, by: str) -> KeysetChangeList:
    """The list, as somebody sees it who may see everything: who runs commands may."""
    request = RequestFactory().get("/", filters)
    request.user = get_user_model()(is_active=True, is_staff=True, is_superuser=True)
    changelist = cast(KeysetChangeList, page.get_changelist_instance(request))
    if changelist.took_too_long:
        raise TookTooLong
    return changelist
