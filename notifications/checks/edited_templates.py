"""System check of the partials: what edited templates may include must obey their rules itself."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from django.core.checks import CheckMessage, Error

from notifications.conf import conf
from notifications.rendering import ROOT
from notifications.templating import files, sandbox
from notifications.templating.expressions import Fault

_WILD = frozenset("*?[")


def check_partials() -> Iterator[CheckMessage]:
    """Each declared file is there and compiles in the sandbox; of a pattern, each that it means."""
    for pattern in conf().template_partials:
        for name in _meant(pattern):
            try:
                sandbox.compiled_partial(name)
            except Fault as fault:
                yield Error(
                    f'NOTIFICATIONS["TEMPLATE_PARTIALS"] declares {name}, which edited templates '
                    f"could not include: {fault}",
                    hint="Mend the file so that it uses only what edited templates may use "
                    "(docs/templates.md), or take it out of the setting.",
                    id="notifications.E054",
                )


def _meant(pattern: str) -> list[str]:
    if not _WILD & set(pattern):
        return [pattern]
    found = {
        file.relative_to(directory).as_posix()
        for directory in files.directories()
        for file in Path(directory, ROOT).rglob("*")
        if file.is_file()
    }
    return sorted(name for name in found if fnmatchcase(name, pattern))
