"""The sandbox of edited templates: what gets out of it (nothing), and what it still can do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from notifications.templating import lookups, sandbox
from notifications.templating.expressions import Fault
from notifications.templating.plain import plain
from notifications.templating.shapes import union

ROOT = Path(__file__).resolve().parents[2]


class Account:
    """Something of the shop's with a door that no template may open."""

    secret = "s3cret"

    def close(self) -> str:
        raise AssertionError("a template has called something")

    def __str__(self) -> str:
        raise AssertionError("a template has printed something that is no plain data")


GIVEN: dict[str, Any] = {
    "name": "Eve <b>",
    "account": Account(),
    "burn": Account().close,
    "kind": Account,
    "lines": [{"name": "Mug", "price": 2495}, {"name": "Bowl", "price": 1000}],
    "shop": {"name": "Harbour & Pine", "_key": "k3y"},
    "_hidden": "h1dden",
    "many": list(range(1500)),
    "long": "x" * 90_000,
    "count": 2,
}

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, settings: Any) -> Write:
    """`write("sign.html", "…")`: a file of the project's, which is a declared partial if it begins
    with "safe"."""
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [tmp_path]}
    ]
    settings.NOTIFICATIONS = {"TEMPLATE_PARTIALS": ["safe*"]}

    def write(name: str, text: str) -> None:
        (tmp_path / name).write_text(text)

    return write


def render(text: str, *, escaping: bool = True, **given: Any) -> str:
    values = plain({**GIVEN, **given})
    return sandbox.rendered(sandbox.compiled("t", text), values, escaping=escaping)


def faults(text: str, *contexts: dict[str, Any]) -> list[str]:
    """What is found without rendering it; what does not compile is found as well."""
    try:
        made = sandbox.compiled("t", text)
    except Fault as fault:
        return [str(fault)]
    return [str(each) for each in lookups.unknown(made, union(map(plain, contexts or [GIVEN])))]


ESCAPES = {
    # attributes, classes and calls
    "an attribute": "{{ account.secret }}",
    "a dunder": "{{ name.__class__ }}",
    "a dunder of a list": "{{ lines.__class__.__mro__ }}",
    "a method of an object": "{{ account.close }}",
    "a method of a text": "{{ name.upper }}",
    "a method of a dictionary": "{{ shop.items }}",
    "a method of a list": "{{ lines.clear }}",
    "a function": "{{ burn }}",
    "a class": "{{ kind }}",
    "an object as a whole": "{{ account }}",
    "an object in a condition": "{% if account %}x{% endif %}",
    "an object by another name": "{% with a=account %}{{ a }}{% endwith %}",
    "an object as an argument": "{{ name|default:account }}{{ ''|default:account }}",
    "an object in a loop": "{% for each in account %}x{% endfor %}",
    "a letter of a text": "{{ name.0 }}",
    "a name with an underscore": "{{ _hidden }}",
    "a key with an underscore": "{{ shop._key }}",
    "a name with an underscore by with": "{% with _x=name %}{{ _x }}{% endwith %}",
    "the block itself": "{% block b %}{{ block }}{% endblock %}",
    "the block's base": "{% block b %}{{ block.super }}{% endblock %}",
    "the block's context": "{% block b %}{{ block.context.template.engine }}{% endblock %}",
    "the loop itself": "{% for each in lines %}{{ forloop }}{% endfor %}",
    # tags
    "code by load": "{% load static %}",
    "settings by debug": "{% debug %}",
    "a token": "{% csrf_token %}",
    "a URL": '{% url "admin:index" %}',
    "the clock": '{% now "Y" %}',
    "unescaped HTML by a tag": "{% autoescape off %}{{ name }}{% endautoescape %}",
    "padding by a tag": "{% widthratio 1 1 999999999 %}",
    "a filter as a block": "{% filter safe %}{{ name }}{% endfilter %}",
    "lorem": "{% lorem 99999999 %}",
    "regroup": "{% regroup lines by name.__class__ as groups %}",
    "verbatim": "{% verbatim %}{{ name }}{% endverbatim %}",
    "a file that is not declared": '{% include "admin/base.html" %}',
    "a file by a path": '{% include "../../etc/passwd" %}',
    "a file by a relative path": '{% include "./safe.txt" %}',
    "a file by a variable": "{% include name %}",
    "a base by a variable": "{% extends name %}",
    "a base that is not declared": '{% extends "admin/base.html" %}',
    # filters
    "unescaped HTML": "{{ name|safe }}",
    "unescaped HTML of a list": "{{ lines|safeseq }}",
    "unescaped HTML in a script": "{{ name|escapejs }}",
    "padding": "{{ name|rjust:999999999 }}",
    "padding on the right": "{{ name|ljust:999999999 }}",
    "padding on both sides": "{{ name|center:999999999 }}",
    "padding by a format": "{{ name|stringformat:'999999999s' }}",
    "digits": "{{ count|floatformat:999999999 }}",
    "doubling": "{{ name|add:name }}",
    "joining": "{{ long|join:long }}",
    "sorting by an attribute": "{{ lines|dictsort:'name.__class__' }}",
    "printing": "{{ account|pprint }}",
    "chance": "{{ lines|random }}",
    "a slice": "{{ name|slice:':2' }}",
    "JSON of anything": "{{ shop|json_script }}",
    "too many filters": "{{ name" + "|upper" * 9 + " }}",
}


@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES.keys())
def test_no_escape_is_published_or_rendered(write: Write, text: str) -> None:
    assert faults(text)
    with pytest.raises(Fault):
        render(text)


def test_no_name_leads_back_out_of_what_is_declared(write: Write) -> None:
    write("private.txt", "for nobody")
    for name in ("safe/../private.txt", "safe../../private.txt", "safe/x/../../private.txt"):
        assert "no partial" in faults(f'{{% include "{name}" %}}')[0]
        with pytest.raises(Fault, match="no partial"):
            render(f'{{% extends "{name}" %}}')


BOMBS = {
    "loops in loops": "{% for a in many %}{% for b in many %}{% for c in many %}"
    "{% endfor %}{% endfor %}{% endfor %}",
    "long texts in a loop": "{% for a in many %}{{ long }}{% endfor %}",
    "long texts that are handled": "{% for a in many %}{% if long|upper == '' %}{% endif %}"
    "{{ name }}{% endfor %}",
    "a text that grows": "{{ quotes|urlencode|force_escape }}",
    "tags in tags": "{% if count %}" * 300 + "{% endif %}" * 300,
    "a long template": "x" * 50_001,
    "a file in itself": '{% include "safe-loop.html" %}',
    "a base of itself": '{% extends "safe-base.html" %}',
    "one long text handled over and over": "{% for a in many %}{% if long|title|length == a %}"
    "{% endif %}{% endfor %}",
    "a long format of a date": "{% for a in many %}{% if when|date:long == a %}{% endif %}"
    "{% endfor %}",
    "a text that is too long, in a condition": "{% if long|linebreaks|urlencode == '' %}{% endif %}"
    "{{ quotes|force_escape }}",
    "a list as a text": "{{ many|upper }}",
    "a number of many digits": "{% plural 1e999 other='#' %}",
    "many numbers": "{% for a in many %}{% plural 999999999999 other='"
    + "#" * 20_000
    + "' %}{% endfor %}",
    "a long condition": "{% if " + "count and " * 4_000 + "count %}{% endif %}"
    "{% for a in many %}{% for b in many %}{{ b }}{% endfor %}{% endfor %}",
    "a condition in conditions": "{% if " + "not " * 10_000 + "count %}{% endif %}",
    "wide loops of plurals": "{% for a in many %}{% for b in many %}"
    '{% plural b one="#" other="#" %}{% endfor %}{% endfor %}',
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_no_template_does_more_than_its_budget(write: Write, text: str) -> None:
    write("safe-loop.html", '{{ name }}{% include "safe-loop.html" %}')
    write("safe-base.html", '{% extends "safe-base.html" %}')

    with pytest.raises(Fault):
        render(text, quotes='"' * 90_000, when=datetime(2026, 11, 20, tzinfo=UTC))


def test_an_error_that_a_condition_swallows_does_not_give_the_budget_back(write: Write) -> None:
    with pytest.raises(Fault, match=r"steps|characters"):
        render(
            "{% for a in many %}{% for b in many %}"
            "{% if a == b %}{% endif %}{% endfor %}{% endfor %}"
        )


def test_what_staff_need_is_there(write: Write) -> None:
    write(
        "safe.html",
        "<html>{% block body %}nothing{% endblock %} {% block end %}bye{% endblock %}</html>",
    )
    write("safe-line.html", "{{ line.name }}: {{ line.price|money:'EUR' }}{{ mark }}")
    text = (
        '{% extends "safe.html" %}{% block body %}{{ name }}'
        "{# said to nobody #}{% comment %}nor this{% endcomment %}"
        "{% for line in lines %}{% if not forloop.first %}, {% endif %}"
        '{% include "safe-line.html" with mark="." %}{% empty %}none{% endfor %} '
        "{{ lines.0.name|upper }} {% with n=count %}{% plural n one='# thing' other='# things' %}"
        "{% endwith %} {{ missing_text|default:'-' }}{% endblock %}"
    )

    assert not faults(text, {**GIVEN, "missing_text": ""})
    assert render(text, missing_text="") == (
        "<html>Eve &lt;b&gt;Mug: €24.95., Bowl: €10.00. MUG 2 things - bye</html>"
    )


def test_html_that_the_shop_calls_safe_is_escaped_all_the_same(write: Write) -> None:
    from django.utils.safestring import mark_safe

    assert render("{{ html }}", html=mark_safe("<i>")) == "&lt;i&gt;"
    assert render("{{ html|upper|capfirst }}", html=mark_safe("<i>")) == "&lt;I&gt;"
    assert render("{{ ''|default:html }}", html=mark_safe("<i>")) == "&lt;i&gt;"
    assert render("{% plural count other=name %}") == "Eve &lt;b&gt;"
    assert render("{{ name }}", escaping=False) == "Eve <b>"


def test_an_undefined_variable_is_found_with_its_line_in_branches_that_no_event_takes(
    write: Write,
) -> None:
    write("safe-line.html", "\n{{ lien.name }}")
    text = (
        "Hello {{ name }}\n"
        "{% if count > 100 %}\n{{ nmae }}{% elif coutn %}{% endif %}\n"
        "{% for line in lines %}{{ line.nam }}{% empty %}{{ emptied }}{% endfor %}\n"
        "{% with a=shopp.name b=shop.town %}{{ c }}{% endwith %}\n"
        "{{ name|default:fallback }}{% plural cnt one=een other='x' %}"
        '{% include "safe-line.html" with x=y %}\n'
        "{% block b %}{{ lines.0.prise }}{{ count.digits }}{% endblock %}"
    )

    assert faults(text) == [
        "t, line 3: there is no nmae; is name meant?",
        "t, line 3: there is no coutn; is count meant?",
        "t, line 4: there is no line.nam; is name meant?",
        "t, line 4: there is no emptied",
        "t, line 5: there is no shopp; is shop meant?",
        "t, line 5: there is no shop.town",
        "t, line 5: there is no c",
        "t, line 6: there is no fallback",
        "t, line 6: there is no cnt; is count meant?",
        "t, line 6: there is no een",
        "t, line 6: there is no y",
        "safe-line.html, line 2: there is no lien; is lines meant?",
        "t, line 7: there is no lines.0.prise; is price meant?",
        "t, line 7: there is no count.digits",
    ]


def test_a_name_of_a_loop_or_a_with_ends_with_it(write: Write) -> None:
    assert faults("{% for x in lines %}{{ x.name }}{% endfor %}{{ x }}") == [
        "t, line 1: there is no x"
    ]
    assert faults("{% with x=lines|first %}{{ x.name }}{{ x.nme }}{% endwith %}{{ x }}") == [
        "t, line 1: there is no x.nme; is name meant?",
        "t, line 1: there is no x",
    ]


def test_what_one_event_lacks_another_may_have(write: Write) -> None:
    with_carrier = {"parcel": {"carrier": "DHL"}, "lines": []}
    without = {"parcel": None, "lines": [{"name": "Mug"}]}
    text = (
        "{% if parcel %}{{ parcel.carrier }}{% endif %}{% for x in lines %}{{ x.name }}{% endfor %}"
    )

    assert not faults(text, with_carrier, without)
    assert faults(text, without) == ["t, line 1: there is no parcel.carrier"]
    assert "nothing is known" in faults(text, with_carrier)[0]


def test_a_block_that_is_overridden_is_not_looked_at_in_the_base(write: Write) -> None:
    write(
        "safe.html", "{% block a %}{{ nowhere }}{% endblock %}{% block b %}{{ name }}{% endblock %}"
    )

    assert not faults('{% extends "safe.html" %}{% block a %}{{ name }}{% endblock %}')
    assert faults('{% extends "safe.html" %}{% block b %}{% endblock %}') == [
        "safe.html, line 1: there is no nowhere"
    ]


def test_a_syntax_error_names_its_line_and_what_there_is(write: Write) -> None:
    assert faults("a\n{% if count %}\nb") == [
        "t, line 2: Unclosed tag on line 2: 'if'. Looking for one of: elif, else, endif."
    ]
    assert (
        "line 3: the tag 'url' is not for edited templates; there are block, comment"
        in (faults("\n\n{% url 'x' %}")[0])
    )
    assert "line 1: the filter 'safe' is not for edited templates" in faults("{{ name|safe }}")[0]


def test_a_value_that_a_filter_cannot_write_is_named(write: Write) -> None:
    with pytest.raises(Fault, match=r"line 2: name\|money:'EUR': money is whole minor units"):
        render("\n{{ name|money:'EUR' }}")
    with pytest.raises(Fault, match="line 1: plural counts 'Eve <b>'"):
        render("{% plural name one='a' other='b' %}")


def test_plain_data_is_copied_and_everything_else_is_opaque() -> None:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    given = {"a": (1, Decimal("2.5")), "when": moment, 3: None, "_x": 1, "obj": Account()}

    made = plain(given)

    assert (made["a"], made["when"], made["3"]) == ([1, Decimal("2.5")], moment, None)
    assert "_x" not in made
    assert made["obj"].why == "a Account, which is no plain data"
    assert plain([[[[[[[[[[1]]]]]]]]]])[0][0][0][0][0][0][0][0].why.startswith("nested")


PIECES = st.sampled_from(
    [
        *("{{ ", " }}", "{% ", " %}", "{{ name }}", "{# ", "|", ":", ".", "'", '"', " ", "=", "_"),
        *("if ", "for a in lines", "endfor", "endif", "else", "with a=name", "endwith", "plural "),
        *("include 'safe.html'", "extends 'safe.html'", "block a", "endblock", "comment"),
        *("name", "lines", "account", "forloop", "block", "0", "-1", "1e999", "\n", "not ", "and "),
        *("upper", "date", "money", "default", "truncatechars", "first", "yesno", "{% if count %}"),
        *("{% for a in lines %}", "{{ a.name }}", "{% endfor %}", "{% endif %}", "<b>", "é🙂"),
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
@settings_of_hypothesis(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_written_is_a_text_or_a_fault(write: Write, text: str) -> None:
    write("safe.html", "{% block a %}{{ name }}{% endblock %}")

    assert all(faults(text))
    try:
        shown = render(text)
    except Fault:
        return
    assert not [secret for secret in ("s3cret", "k3y", "h1dden") if secret in shown]


def test_the_documentation_lists_every_escape_that_is_refused() -> None:
    listed = (ROOT / "docs" / "templates.md").read_text()

    for what in (*ESCAPES, *BOMBS):
        assert f"| {what} |" in listed or f"- {what}\n" in listed, what
    for name in (*sandbox.TAGS, *sandbox.FILTERS):
        assert f"`{name}`" in listed or f"{name}" in listed.split("## Plurals")[1], name
