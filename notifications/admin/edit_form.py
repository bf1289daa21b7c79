"""The form in which facts of an event are put right for one delivery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from notifications import edits, told_words
from notifications.admin import reveal, words
from notifications.edits import CONFIRM, HIDDEN, Edited, Kind, Wrong
from notifications.models import Delivery
from notifications.redaction import redact
from notifications.told_words import Words

FACT = "fact-"
"""Before the name of a fact, in the form."""

ONE_LINE = 80
"""Characters; a longer fact has more than a line to be typed in."""


class EditForm:
    """The facts as they stand in the form, and what was found wrong with what was typed."""

    def __init__(self, request: HttpRequest, row: Delivery) -> None:
        self._request, self._row = request, row
        self._known = edits.facts(row.event, row)
        self._unmasked = "revealed" in request.POST
        self.problems: Mapping[str, str] = {}
        self.edited: Edited | None = None

    @property
    def typed(self) -> dict[str, str]:
        """By field. What was masked and is left empty stays as it is."""
        posted = self._request.POST
        return {
            fact.name: posted[FACT + fact.name]
            for fact in self._known
            if FACT + fact.name in posted
            and (fact.kind is not Kind.SENSITIVE or self._unmasked or posted[FACT + fact.name])
        }

    @property
    def facts(self) -> list[dict[str, Any]]:
        typed, revealed = self.typed, reveal.is_revealed(self._row)
        return [
            {
                "name": fact.name,
                "field": FACT + fact.name,
                "locked": fact.kind is Kind.LOCKED,
                "hidden": HIDDEN if fact.kind is Kind.SENSITIVE and not revealed else "",
                "sensitive": fact.kind is Kind.SENSITIVE,
                "text": (text := self._text(fact, typed, revealed)),
                "long": len(text) > ONE_LINE or "\n" in text,
                "recorded": fact.recorded if fact.kind is Kind.FREE or revealed else None,
                "problem": self.problems.get(fact.name, ""),
            }
            for fact in self._known
        ]

    @property
    def confirm_problem(self) -> str:
        return self.problems.get(CONFIRM, "")

    @property
    def has_sensitive(self) -> bool:
        return any(fact.kind is Kind.SENSITIVE for fact in self._known)

    def check(self) -> None:
        """See what the facts make of the words. What is sensitive is confirmed when it is sent."""
        try:
            self.edited = edits.edit(
                self._row.event, self._row, self.typed, confirm=self._row.subject
            )
        except Wrong as wrong:
            self.problems = wrong.problems

    @property
    def told(self) -> Words | None:
        """As they would be sent; for who may see them."""
        if self.edited is None or not reveal.is_revealed(self._row):
            return None
        return told_words.now(self._row, self.edited.data)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Against what was sent, or, where that is not kept, what would be sent unedited."""
        before = told_words.sent(self._row)
        return words.difference(told_words.now(self._row) if before.problem else before, self.told)

    def _text(self, fact: edits.Fact, typed: Mapping[str, str], revealed: bool) -> str:
        if fact.name in typed:
            return typed[fact.name]
        if revealed or fact.kind is Kind.FREE:
            return fact.text
        return "" if fact.kind is Kind.SENSITIVE else redact(fact.text)
