"""The table as it stands in `docs/settings.md`."""

from __future__ import annotations

from collections.abc import Iterator

from orders_site.environment.table import TABLE
from orders_site.environment.variable import ALL, Variable


def markdown() -> str:
    """One table for each group of variables."""
    return "\n\n".join(
        "\n".join((f"### {title}", "", *_table(variables))) for title, variables in TABLE.items()
    )


def _table(variables: tuple[Variable, ...]) -> Iterator[str]:
    yield "| variable | for | holds | without it | read by |"
    yield "|---|---|---|---|---|"
    for each in variables:
        used_by = "all" if each.used_by == ALL else ", ".join(each.used_by)
        read_by = f"{used_by} ({each.read_by})" if each.read_by else used_by
        without = each.without or (f"`{each.default_in_words}`" if each.default_in_words else "")
        cells = (f"`{each.name}`", each.about, each.kind.name, without, read_by)
        yield f"| {' | '.join(cells)} |"
