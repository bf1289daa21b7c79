"""What a migration must not do to a table that traffic is on, read from the SQL that it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.apps import apps
from django.db import connection
from django.db.migrations import Migration, RunPython
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState

OURS = {
    config.label
    for config in apps.get_app_configs()
    if config.name.startswith(("notifications", "orders_site"))
}

_TABLE = r'(?:ONLY )?"(?P<table>[^"]+)"'
_COLUMN = r'"(?P<column>[^"]+)"'
_TYPE = r"(?P<type>text|varchar\((?P<length>\d+)\)|[^ ;]+)"
_RULES = [
    (rf"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).* ON {_TABLE}", "builds an index: nobody writes"),
    (r"DROP INDEX (?!CONCURRENTLY)", "drops an index: waits for everybody"),
    (rf"ALTER TABLE {_TABLE} ADD CONSTRAINT .*(?:UNIQUE|PRIMARY KEY|EXCLUDE)", "builds an index"),
    (
        rf"ALTER TABLE {_TABLE} ADD CONSTRAINT .*(?:CHECK|FOREIGN KEY)(?!.*NOT VALID)",
        "reads the table through: nobody writes",
    ),
    (rf"ALTER TABLE {_TABLE} .*ALTER COLUMN {_COLUMN} TYPE {_TYPE}", "may write the table anew"),
    (rf"ALTER TABLE {_TABLE} .*SET NOT NULL", "reads the table through: nobody writes"),
    (
        rf"ALTER TABLE {_TABLE} .*ADD COLUMN (?!.*DEFAULT).*NOT NULL",
        "old processes write no such column",
    ),
    (
        rf"ALTER TABLE {_TABLE} .*ALTER COLUMN .* DROP DEFAULT",
        "old processes write no such column",
    ),
    (rf"ALTER TABLE {_TABLE} .*(?:DROP COLUMN|RENAME)", "old processes still read it"),
    (rf"DROP TABLE {_TABLE}", "old processes still read it"),
]
_ALTERED = re.compile(
    rf"ALTER TABLE {_TABLE}|INDEX (?!CONCURRENTLY).* ON {_TABLE.replace('table', 'on')}"
)
_REFERENCED = re.compile(r'REFERENCES "([^"]+)"')
"""Nobody writes there either: a foreign key locks both of its tables, with NOT VALID too."""


def faults() -> dict[str, list[str]]:
    """Of each of our migrations that is not gentle, by name, what is wrong with it."""
    loader = MigrationExecutor(connection).loader
    found: dict[str, list[str]] = {}
    state = loader.project_state(())
    for key in loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True):
        migration = loader.get_migration(*key)
        if key[0] in OURS:
            faults = list(faults_of(migration, state))
            if faults:
                found[".".join(key)] = sorted(set(faults))
        state = migration.mutate_state(state, preserve=False)
    return found


def faults_of(migration: Migration, before: ProjectState) -> Iterator[str]:
    """before: the models as the migrations before it left them."""
    created: set[str] = set()
    altered: set[str] = set()
    for statement in _statements(migration, before):
        created |= set(re.findall(r'CREATE TABLE "([^"]+)"', statement))
        for rule, why in _RULES:
            hit = re.match(rule, statement)
            if hit and not _is_of(hit, created) and not _is_wider(hit, before):
                yield f"{why} ({_name(hit) or statement.split(';')[0]})"
        if (hit := _ALTERED.search(statement)) and not _is_of(hit, created):
            altered.add(_name(hit))
        altered |= set(_REFERENCED.findall(statement)) - created
    if migration.atomic and len(altered) > 1:
        yield f"locks several tables in one transaction ({', '.join(sorted(altered))})"
    if migration.atomic and altered and any(isinstance(o, RunPython) for o in migration.operations):
        yield "works through rows while it holds a lock"


def _statements(migration: Migration, before: ProjectState) -> Iterator[str]:
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(before.clone(), editor, collect_sql=True)
    for line in editor.collected_sql:
        if not line.startswith("--"):
            yield " ".join(line.split())


def _is_of(hit: re.Match[str], tables: set[str]) -> bool:
    return _name(hit) in tables


def _is_wider(hit: re.Match[str], before: ProjectState) -> bool:
    """Whether it makes a text column longer: nothing is written for that, nor read."""
    names = hit.groupdict()
    if not (names.get("type") == "text" or names.get("length")):
        return False
    models = {model._meta.db_table: model for model in before.apps.get_models()}
    fields = {field.column: field for field in models[names["table"]]._meta.fields}
    was = fields[names["column"]].max_length
    return names["type"] == "text" or (was is not None and was <= int(names["length"]))


def _name(hit: re.Match[str]) -> str:
    names = hit.groupdict()
    return names.get("table") or names.get("on") or ""
