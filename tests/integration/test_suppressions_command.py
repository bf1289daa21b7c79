"""`manage.py suppressions`: list, add, import, remove."""

from __future__ import annotations

import io
import json
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from notifications import suppression_import
from notifications.models import Suppression
from notifications.suppressions import is_suppressed, suppress

pytestmark = pytest.mark.django_db

ADDRESS = "gustav.klein@example.org"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("suppressions", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def run_json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return found


def write(path: Path, text: str | bytes) -> str:
    file = path / "list.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(file)


def test_an_address_is_added_found_and_taken_off_again() -> None:
    email = ("--channel", "email")
    said = ("--reason", "she wrote to us", "--by", "mira")

    assert "would be" in run("add", ADDRESS, *email, *said, "--dry-run")
    assert not Suppression.objects.exists()
    assert "is suppressed" in run("add", ADDRESS, *email, *said)
    assert "already" in run("add", ADDRESS, *email, *said)

    (row,) = run_json("list", "--address", ADDRESS.upper())["suppressions"]
    assert (row["reason"], row["by"], row["note"]) == ("operator", "mira", "she wrote to us")
    assert row["address"] == "g…@example.org"
    assert ADDRESS not in run()
    assert run("list", "--address", "ben@example.org") == "Nothing matches.\n"

    assert "would be" in run("remove", ADDRESS, *email, *said, "--dry-run")
    assert is_suppressed("email", ADDRESS)
    assert run_json("remove", "--id", str(row["id"]), *said) == {"lifted": 1, "dry_run": False}
    assert "not suppressed" in run("remove", ADDRESS, *email, *said)
    assert run() == "Nothing matches.\n"
    assert "lifted by mira" in run("list", "--all")


def test_the_list_is_filtered_and_paged() -> None:
    for number in range(5):
        suppress(channel="email", address=f"b{number}@example.org", reason="hard_bounce")
    suppress(channel="sms", address="+491701234567", reason="opt_out_reply")

    page = run_json("list", "--for", "hard_bounce", "--limit", "3")
    rest = run_json("list", "--channel", "email", "--after", str(page["next"]))
    found = [row["id"] for row in page["suppressions"] + rest["suppressions"]]
    assert found == sorted(found, reverse=True)
    assert len(found) == 5
    assert [row["address"] for row in run_json("list", "--channel", "sms")["suppressions"]] == [
        "…4567"
    ]


def test_a_complaint_is_taken_off_only_by_who_says_so() -> None:
    suppress(channel="email", address=ADDRESS, reason="complaint")
    remove = ("remove", ADDRESS, "--channel", "email", "--reason", "she asked us to")

    for dry in ((), ("--dry-run",)):
        with pytest.raises(CommandError, match=r"its owner has complained.*--although-complained"):
            run(*remove, *dry)

    assert "would be lifted" in run(*remove, "--although-complained", "--dry-run")
    assert "is lifted" in run(*remove, "--although-complained")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "gustav", "--channel", "email", "--reason", "x"], "this is no email address"),
        (["add", "12", "--channel", "sms", "--reason", "x"], "this is no telephone number"),
        (["add", ADDRESS, "--channel", "fax", "--reason", "x"], "there is no channel 'fax'"),
        (["add", ADDRESS, "--channel", "email", "--reason", " "], "give 1 to 255 characters"),
        (["remove", "--reason", "x"], "Name an address and its --channel, or else a row"),
        (["remove", "--id", "7", "--reason", "x"], "There is no suppression 7"),
        (["remove", ADDRESS, "--reason", "x"], "it has no channel"),
        (["import", "/nowhere.csv"], "cannot be read: No such file"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as caught:
        run(*arguments)
    assert "gustav.klein" not in str(caught.value)


def test_a_list_from_elsewhere_is_imported_and_says_which_lines_are_wrong(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "\ufeffChannel,Email Address,Reason,Note,Since\r\n"
        "email,ann@example.org,BOUNCE,550,2020\r\n"
        "email,not an address,,,\r\n"
        ",ben@example.org,complaint\r\n"
        "\r\n"
        "sms,+49 170 123-4567,stop\r\n"
        "email,cleo@example.org,because,,\r\n"
        'email,"dora@example.org","","a note, with a comma",\r\n'
        "email,ann@example.org,bounce,550 again,\r\n"
        "email,,,,\r\n",
    )
    out = io.StringIO()

    with pytest.raises(SystemExit):
        call_command("suppressions", "import", file, "--by", "mira", stdout=out, stderr=out)

    assert out.getvalue().splitlines() == [
        "line 3: this is no email address",
        "line 4: it has no channel",
        "line 7: its reason is none of complaint, hard_bounce, opt_out_reply, operator, imported",
        "line 10: it has no address",
        "3 are suppressed, 1 were already, 4 lines are wrong",
    ]
    rows = Suppression.objects.order_by("id").values_list("channel", "hint", "reason", "note", "by")
    assert set(rows) == {
        ("email", "a…@example.org", "hard_bounce", "550", "mira"),
        ("sms", "…4567", "opt_out_reply", "", "mira"),
        ("email", "d…@example.org", "imported", "a note, with a comma", "mira"),
    }
    assert is_suppressed("sms", "+491701234567")


def test_a_dry_run_writes_nothing_and_a_second_import_changes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, "phone\n+491701234567\n+491701234568\n")
    given = ("import", file, "--channel", "sms", "--reason", "from the old shop")

    assert run_json(*given, "--dry-run") == {
        "added": 2,
        "already": 0,
        "wrong": 0,
        "told": [],
        "dry_run": True,
    }
    assert not Suppression.objects.exists()
    assert run(*given) == "2 are suppressed, 0 were already, 0 lines are wrong\n"
    assert run(*given) == "0 are suppressed, 2 were already, 0 lines are wrong\n"
    assert set(Suppression.objects.values_list("note", flat=True)) == {"from the old shop"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("ann@example.org\n", "names no column `address`"),
        ('address\n"' + "a" * 200_000, "line 2 is no CSV"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("import", write(tmp_path, text), "--channel", "email")


def test_a_list_whose_columns_are_confused_tells_no_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"channel,address\n{ADDRESS},email\n")

    with pytest.raises(SystemExit):
        call_command("suppressions", "import", str(file))

    said = capsys.readouterr()
    assert "line 2: its channel is none of email" in said.err
    assert "gustav.klein" not in said.err + said.out


def test_bytes_that_are_no_text_are_a_wrong_line(tmp_path: Path) -> None:
    file = write(
        tmp_path, b"address,note\nann@example.org,\xff\nb\xe9n@example.org,\nc@example.org,"
    )
    out = io.StringIO()

    with pytest.raises(SystemExit):
        call_command("suppressions", "import", file, "--channel", "email", stdout=out, stderr=out)

    assert "line 2: it is no UTF-8" in out.getvalue()
    assert "line 3: it is no UTF-8" in out.getvalue()
    assert Suppression.objects.get().hint == "c…@example.org"


def test_a_list_may_come_by_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(b"address\nann@example.org\n"))
    monkeypatch.setattr(sys, "stdin", given)

    assert run_json("import", "-", "--channel", "email")["added"] == 1


def test_five_thousand_rows_cost_the_memory_of_a_batch() -> None:
    def lines(first: int, rows: int) -> Iterator[str]:
        yield "address,note\n"
        for number in range(first, first + rows):
            yield f"somebody{number}@example.org,from the old shop\n"

    def peak(first: int, rows: int) -> int:
        tracemalloc.start()
        done = suppression_import.import_csv(lines(first, rows), by="mira", channel="email")
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (done.added, done.wrong) == (rows, 0)
        return highest

    few = peak(0, 2 * suppression_import.BATCH)

    assert peak(1_000_000, 5 * suppression_import.BATCH) < 1.5 * few
    assert Suppression.objects.count() == 7 * suppression_import.BATCH
