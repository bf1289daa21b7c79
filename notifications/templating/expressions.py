"""Expressions of edited templates: variables, looked up in plain data, and their filters."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.template import Context, TemplateSyntaxError, defaultfilters
from django.template.base import FilterExpression, Variable, VariableDoesNotExist
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import template_localtime  # type: ignore[attr-defined]
from django.utils.translation import gettext

from notifications.exceptions import NotificationError
from notifications.templating.budget import LONGEST_VALUE, exhaust, spend
from notifications.templating.library import BadValue
from notifications.templating.plain import Opaque

MOST_FILTERS = 8
"""Of one variable."""

OF_LISTS = frozenset(
    defaultfilters.register.filters[name]
    for name in ("default", "default_if_none", "first", "last", "length", "yesno")
)
"""The filters that take a list or a dictionary; others would make one long text of it."""

PLAIN = (str, int, float, bool, Decimal, datetime.date, datetime.time, dict, list, type(None))


class Fault(NotificationError):
    """What is wrong with an edited template, and where."""

    default_code = "template_fault"

    def __init__(
        self, message: str, *, template: str = "", line: int | None = None, variable: str = ""
    ) -> None:
        super().__init__(message)
        self.template = template
        self.line = line
        self.variable = variable

    def __str__(self) -> str:
        where = ", ".join(filter(None, (self.template, f"line {self.line}" if self.line else "")))
        return f"{where}: {self.message}" if where else self.message


class Lookup(Variable):
    """A variable that is looked up in dictionaries and lists, and nowhere else."""

    __slots__ = ()

    def _resolve_lookup(self, context: Any) -> Any:
        current = context
        for name in self.lookups or ():
            key: Any = name
            if isinstance(current, Context) or type(current) is dict:
                found = key in current
            elif type(current) is list and name.isascii() and name.isdecimal():
                key = int(name) if len(name) < 6 else len(current)
                found = key < len(current)
            else:
                found = False
            if not found:
                raise VariableDoesNotExist("%s is not there", (self.var,))
            current = current[key]
        return current


class Expression(FilterExpression):
    """A variable with its filters. It knows where it stands, and pays for what it does."""

    __slots__ = ("line", "template")

    def __init__(self, token: str, parser: Any) -> None:
        super().__init__(token, parser)
        if len(self.filters) > MOST_FILTERS:
            raise TemplateSyntaxError(
                gettext("more than %(most)s filters in one place") % {"most": MOST_FILTERS}
            )
        self.template, self.line = str(parser.origin.template_name), parser.line
        if self.is_var:
            self.var = Lookup(self.var.var)
        self.filters = [
            (
                function,
                [
                    (is_variable, Lookup(argument.var) if is_variable else argument)
                    for is_variable, argument in arguments
                ],
            )
            for function, arguments in self.filters
        ]

    @property
    def variables(self) -> list[Lookup]:
        """What it looks up: its own variable, and those among its filters' arguments."""
        own = [self.var] if self.is_var else []
        arguments = [
            argument for _, given in self.filters for is_variable, argument in given if is_variable
        ]
        return [each for each in (*own, *arguments) if each.lookups is not None]

    def resolve(self, context: Any, ignore_failures: bool = False) -> Any:
        value = None
        try:
            if self.is_var:
                value = self.var.resolve(context)
                self._insist_on_plain(value)
            else:
                value = self.var
            for function, arguments in self.filters:
                value = self._filtered(value, function, arguments, context)
        except VariableDoesNotExist as error:
            if ignore_failures:
                return None
            raise self.fault(
                gettext("there is no %(params)s") % {"params": error.params[0]},
                str(error.params[0]),
            ) from None
        spend(characters=len(value) if isinstance(value, str) else 0)
        return value

    def fault(self, message: str, variable: str = "") -> Fault:
        return Fault(message, template=self.template, line=self.line, variable=variable)

    def _filtered(self, value: Any, function: Any, arguments: Any, context: Any) -> Any:
        given = [
            argument.resolve(context) if is_variable else argument
            for is_variable, argument in arguments
        ]
        for each in given:
            self._insist_on_plain(each)
        if isinstance(value, dict | list) and function not in OF_LISTS:
            raise self.fault(
                gettext("%(token)s: it is a list or a dictionary") % {"token": self.token},
                self.token,
            )
        spend(characters=sum(len(each) for each in (value, *given) if isinstance(each, str)))
        if getattr(function, "expects_localtime", False):
            value = template_localtime(value, context.use_tz)
        options = (
            {"autoescape": context.autoescape}
            if getattr(function, "needs_autoescape", False)
            else {}
        )
        try:
            after = function(value, *given, **options)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            said = str(error) if isinstance(error, BadValue) else type(error).__name__
            raise self.fault(f"{self.token}: {said}", self.token) from error
        if isinstance(after, str) and len(after) > LONGEST_VALUE:
            exhaust(
                gettext("%(token)s becomes more than %(most)s characters")
                % {"token": self.token, "most": LONGEST_VALUE}
            )
        if getattr(function, "is_safe", False) and isinstance(value, SafeString):
            after = mark_safe(after)  # noqa: S308 - a literal's
        return after

    def _insist_on_plain(self, value: Any) -> None:
        if isinstance(value, Opaque):
            raise self.fault(f"{self.token} is {value.why}", self.token)
        if not isinstance(value, PLAIN):
            raise self.fault(
                gettext("%(token)s is no plain data") % {"token": self.token}, self.token
            )
