"""docs/channels.md, the part that is written from the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from notifications.outcomes import RETRIED_WHEN_UNKNOWN
from tests.channels import BY_NAME
from tests.codes.base import Group, Row, Table
from tests.codes.network import NETWORK
from tests.codes.tables import TABLES

MARK = "<!-- From here on the tests write this page: UPDATE_SNAPSHOTS=1 accepts what they say. -->"
_LEGEND = """\
Each row below is a test: the provider sandbox says the code, the adapter's real SDK raises what it
raises, and the adapter makes of it what the row says (`tests/codes`). A code that stands in no
table is decided by its HTTP status: 401 and 403 stop the account, 408, 425, 429 and 5xx are tried
again, anything else is given up. The status also decides where the body is none of the provider's
(`null`, a page of some proxy); one of success means that it took the message.

- *try again later*: with the consumer's back-off, or after the provider's own Retry-After.
- *give up: dead letter*: trying again cannot help. `manage.py redrive` sends it when it is mended.
- *another provider*: where the channel has several (`docs/providers.md`).
- *stop the account, probe it*: no message would fare better; nothing is sent until a probe gets
  through, and no message's attempts are spent (`docs/limits.md`).
- *unknown*: it may have been sent. An email is sent again, and a webhook, whose reader knows the id
  of what it has taken; anything else waits for the provider's receipt, then for an operator."""


def written() -> str:
    """From the mark to the end."""
    parts = [MARK, "", "## Codes", "", _LEGEND]
    shared = {group.title: group for table in TABLES for group in table.shared}
    for group in (NETWORK, *shared.values()):
        parts += ["", f"### {group.title}", "", *_table(group.rows, None), "", _sources(group)]
    for table in TABLES:
        parts += ["", f"### {table.title}", ""]
        parts += [" ".join(note for note in (table.note, _besides(table)) if note), ""]
        parts += [*_table(table.rows, _retries_unknown(table)), "", _sources(table)]
    return "\n".join(parts) + "\n"


def _besides(table: Table) -> str:
    titles = " and ".join(f"*{group.title}*" for group in table.shared)
    return f"Besides these rows: {titles}, above." if titles else ""


def _retries_unknown(table: Table) -> bool:
    return BY_NAME[table.adapter].at_sandbox in RETRIED_WHEN_UNKNOWN


def _table(rows: Iterable[Row], retries_unknown: bool | None) -> Iterator[str]:
    yield "| code | what it means | what we do |"
    yield "|---|---|---|"
    for row in rows:
        we_do = row.meaning.what_we_do(retries_unknown)
        we_do = f"another provider, or {we_do}" if row.elsewhere else we_do
        yield f"| `{row.code}` | {row.says} | {we_do} |"


def _sources(of: Group | Table) -> str:
    return "Sources: " + "; ".join(of.sources) + "."
