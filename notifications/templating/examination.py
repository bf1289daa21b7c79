"""Examination: everything that is wrong with a text, said before it is published.

What passes cannot fail when it is sent for what the template says: it compiles, each variable is
one that the shop's context has, its plurals are its language's, and it has been rendered with real
events in that language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.template.base import Lexer, Template, TokenType
from django.utils.translation import gettext

from notifications import rendering
from notifications.templating import library, lookups, plain, sandbox
from notifications.templating.expressions import Fault
from notifications.templating.places import Place
from notifications.templating.samples import Sample, samples
from notifications.templating.shapes import union


def examine(place: Place, texts: Mapping[str, str]) -> list[Fault]:
    """What is wrong with these texts at this place, by field; empty: they may be published.

    Asks the shop about up to `samples.LOOKED_AT` real events.
    """
    faults, made = _compiled(place, texts)
    found = samples(place)
    if not found:
        faults.append(
            Fault(
                gettext(
                    "no %(event_type)s that somebody would be told of by %(channel)s has been "
                    "recorded yet, so nobody knows which variables there are; publish after the "
                    "first"
                )
                % {"event_type": place.event_type, "channel": place.channel}
            )
        )
        return faults
    shape = union(plain.context_of(each.envelope, each.recipient, each.context) for each in found)
    for template in made.values():
        faults += lookups.unknown(template, shape)
        faults += _plurals(template, place)
    return faults or _rendered(place, made, found)


def _compiled(place: Place, texts: Mapping[str, str]) -> tuple[list[Fault], dict[str, Template]]:
    faults, made = [], {}
    for part in place.parts:
        text = texts.get(part.field, "")
        if not text.strip():
            if not part.optional:
                faults.append(Fault(gettext("it is empty"), template=part.field))
            continue
        try:
            made[part.field] = sandbox.compiled(part.field, text)
            faults += _half_written(part, text)
        except Fault as fault:
            faults.append(fault)
    if strange := sorted(set(texts) - {part.field for part in place.parts}):
        faults.append(
            Fault(
                gettext("%(channel)s has no part %(strange)s")
                % {"channel": place.channel, "strange": ", ".join(strange)}
            )
        )
    return faults, made


def _half_written(part: rendering.Part, text: str) -> Iterator[Fault]:
    """Braces that Django would send as they stand: `{{ total }`, or one on two lines. A style sheet
    in HTML may well end in two."""
    marks = ("{{", "{%") if part.is_html else ("{{", "{%", "}}", "%}")
    for token in Lexer(text).tokenize():
        if token.token_type != TokenType.TEXT:
            continue
        for line, words in enumerate(token.contents.split("\n"), start=token.lineno or 1):
            if mark := next((each for each in marks if each in words), ""):
                yield Fault(
                    gettext("%(mark)s would be sent as it stands: its other half is missing here")
                    % {"mark": mark},
                    template=part.field,
                    line=line,
                )


def _plurals(template: Template, place: Place) -> list[Fault]:
    needed = library.categories_of(place.locale)
    found = []
    node: Any
    for node in template.nodelist.get_nodes_by_type(library.PluralNode):
        if missing := sorted(needed - set(node.texts), key=library.CATEGORIES.index):
            found.append(
                Fault(
                    gettext("plural needs a text for %(missing)s in %(language)s")
                    % {"missing": ", ".join(missing), "language": place.language},
                    template=str(template.name),
                    line=node.token.lineno if node.token else None,
                )
            )
    return found


def _rendered(place: Place, made: Mapping[str, Template], found: list[Sample]) -> list[Fault]:
    faults: dict[str, Fault] = {}
    for each in found:
        for part in place.parts:
            if part.field not in made:
                continue
            try:
                with rendering.speaking_to(each.recipient):
                    values = plain.context_of(each.envelope, each.recipient, each.context)
                    text = sandbox.rendered(made[part.field], values, escaping=part.is_html)
                if not part.optional and not text.strip():
                    raise Fault(gettext("nothing is left of it"), template=part.field)
            except Fault as fault:
                fault.message = f"{fault.message} (with {each})"
                faults.setdefault(f"{fault.template} {fault.line} {fault.variable}", fault)
    return list(faults.values())
