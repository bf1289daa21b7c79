"""`manage.py templates`: the same verbs as the admin's, with a dry run of each that changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from notifications.local.providers.client import SandboxClient
from notifications.models import AuditEntry, Event, TemplateVersion
from notifications.templating import editing, places, published
from notifications.templating.places import Place
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

PUSH = Place("order.created", "push", "de")
HERE = ("order.created", "push", "de")


@pytest.fixture(autouse=True)
def _nothing_published() -> Iterator[None]:
    published.look_again()
    yield
    published.look_again()


@pytest.fixture(autouse=True)
def event() -> Event:
    an_order(customer=a_customer(devices=1))
    return Event.objects.get(type="order.created")


def templates(*arguments: object, **options: Any) -> str:
    out = StringIO()
    call_command("templates", *map(str, arguments), stdout=out, **options)
    return out.getvalue()


def as_json(*arguments: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(templates(*arguments, "--json"))
    return answer


def draft(text: str) -> None:
    current = places.standing(PUSH).draft
    editing.save_draft(
        PUSH,
        {"subject": "Danke", "text": text},
        by="ada",
        revision=current.revision if current else None,
    )


def publish(text: str) -> str:
    draft(text)
    return templates("publish", *HERE, "--reason", "shorter", "--by", "bea")


def states() -> list[tuple[int, str]]:
    return list(TemplateVersion.objects.order_by("number").values_list("number", "state"))


def test_a_draft_is_published_after_a_dry_run_that_did_nothing() -> None:
    draft("Hallo {{ first_name }}")

    dry = templates("publish", *HERE, "--reason", "shorter", "--dry-run")
    assert "is sound and would be published; nothing was done" in dry
    assert states() == [(1, "draft")]

    assert "version 1 is published" in publish("Hallo {{ first_name }}")
    assert states() == [(1, "published")]
    assert TemplateVersion.objects.get().published_by == "bea"
    assert "order.created push de" in templates("list")
    row = next(
        each
        for each in as_json("list")["templates"]
        if (each["channel"], each["language"]) == ("push", "de")
        and each["event_type"] == "order.created"
    )
    assert (row["in_use"], row["published"]["version"]) == ("version 1", 1)


def test_what_is_wrong_is_said_line_by_line(event: Event) -> None:
    draft("Hallo\n{{ frist_name }}")

    for dry in ([], ["--dry-run"]):
        with pytest.raises(CommandError, match="line 2: there is no frist_name; is first_name"):
            templates("publish", *HERE, "--reason", "x", *dry)


def test_it_is_shown_compared_and_looked_at() -> None:
    publish("Hallo {{ first_name }}")
    draft("Guten Tag {{ first_name }}")

    assert "Hallo {{ first_name }}" in templates("show", *HERE)
    assert "Guten Tag" in templates("show", *HERE, "--version", "draft")
    assert as_json("show", *HERE, "--version", "1")["texts"]["subject"] == "Danke"
    assert "-Hallo {{ first_name }}\n+Guten Tag {{ first_name }}" in templates("diff", *HERE)
    assert as_json("diff", *HERE, "--version", "1")["changes"] == {}
    assert "Hallo Meryem" in templates("preview", *HERE)
    seen = as_json("preview", *HERE, "--version", "draft")
    assert seen["content"] == {"subject": "Danke", "text": "Guten Tag Meryem"}


def test_it_is_rolled_back_and_taken_back() -> None:
    publish("eins")
    publish("zwei")

    templates("rollback", *HERE, 1, "--reason", "x", "--dry-run")
    assert states() == [(1, "retired"), (2, "published")]
    said = templates("rollback", *HERE, 1, "--reason", "zwei was wrong")
    assert "resend --template-version v2#" in said
    assert states()[-1] == (3, "published")

    templates("take-back", *HERE, "--reason", "x", "--dry-run")
    assert states()[-1] == (3, "published")
    assert as_json("take-back", *HERE, "--reason", "enough")["state"] == "published"
    assert states()[-1] == (3, "retired")


def test_a_draft_is_tried_and_thrown_away(sandbox: SandboxClient) -> None:
    draft("Hallo {{ first_name }}")
    trial = ("test", *HERE, "--version", "draft", "--to", "token-of-a-phone", "--by", "bea")

    assert "would be sent" in templates(*trial, "--dry-run")
    assert not sandbox.accepted("push")
    assert "token-of-a-phone" not in templates(*trial)
    (sent,) = sandbox.accepted("push")
    assert (sent.address, sent.text) == ("token-of-a-phone", "Hallo Meryem")
    assert AuditEntry.objects.filter(action="template.test").latest("id").actor == "bea"

    assert "nothing was done" in templates("drop-draft", *HERE, "--dry-run")
    assert states() == [(1, "draft")]
    assert "thrown away" in templates("drop-draft", *HERE)
    assert states() == []
    with pytest.raises(CommandError, match="there is no draft"):
        templates("drop-draft", *HERE)


def test_what_is_published_becomes_files_and_files_become_drafts(tmp_path: Path) -> None:
    publish("Hallo {{ first_name }}")
    file = tmp_path / "notifications" / "order.created" / "de" / "push.txt"

    templates("export", "--to", tmp_path, "--dry-run")
    assert not file.exists()
    templates("export", "--to", tmp_path)
    assert file.read_text() == "Hallo {{ first_name }}\n"
    assert "nothing is different" in templates("import", tmp_path)

    file.write_text("Servus {{ first_name }}\n")
    assert as_json("import", tmp_path, "--dry-run")["found"] == ["order.created push de"]
    assert places.standing(PUSH).draft is None
    templates("import", tmp_path, "--by", "ada")
    saved = places.standing(PUSH).draft
    assert saved is not None
    assert (saved.parts["subject"], saved.author) == ("Danke\n", "ada")
    with pytest.raises(CommandError, match=r"there is a draft, .*drop-draft"):
        templates("import", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "order.created", "pigeon"], "no route in the settings"),
        (["show", "order.created", "push", "../de"], "is no language"),
        (["show", *HERE, "--version", "newest"], "is no version"),
        (["show", *HERE, "--version", "7"], "there is no version 7"),
        (["diff", *HERE], "there is no draft"),
        (["publish", *HERE, "--reason", "x"], "there is no draft"),
        (["take-back", *HERE, "--reason", "x"], "nothing is published"),
        (["take-back", *HERE, "--reason", "x", "--dry-run"], "nothing is published"),
        (["export", *HERE, "--to", "/nowhere"], "nothing is published"),
        (["import", "/nowhere/at/all"], "is no directory"),
        (["preview", *HERE, "--event", "0190e0c0-0000-7000-8000-000000000000"], "of that id"),
        (["rollback", *HERE, "3", "--reason", "x"], "there is no version 3"),
        (
            ["rollback", "order.created", "push", "default", "3", "--reason", "x"],
            "there is no version 3 of order.created by push in the default language",
        ),
    ],
)
def test_wrong_arguments_give_one_clear_line(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as told:
        templates(*arguments)
    assert "\n" not in str(told.value)
