"""`make audit`: what is known to be wrong with what we install, Python's packages and Node's.

Asks PyPI and npm. What they do not answer for is clean only where somebody has read about that very
version lately (`readings.toml`): nothing known is not the same as nothing asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.supply_chain import npm, pypi
from tests.supply_chain.advisories import Known
from tests.supply_chain.packages import EMULATOR, NODE, OURS, ROOT, pinned
from tests.supply_chain.readings import read_lately

TOOLS = Path(__file__).with_name("tools.txt")


def main() -> int:
    """0: nothing is known; 1: something is, or nobody could say."""
    read = read_lately(datetime.now(UTC).date())
    failed = [file.name for file, known in _asked() if not _clean(file, known, read)]
    print(f"NOT CLEAN, or not asked: {', '.join(failed)}" if failed else "nothing is known")
    return 1 if failed else 0


def _asked() -> Iterator[tuple[Path, Known]]:
    pip_audit = Path(sys.argv[1]) / "pip-audit"
    for file in (OURS, EMULATOR, TOOLS):
        yield file, pypi.known_of(map(" ".join, pinned(file).items()), pip_audit)
    yield NODE, npm.known_of(NODE)


def _clean(file: Path, known: Known, read: frozenset[str]) -> bool:
    nobody = known.unasked - read
    print(
        f"{file.relative_to(ROOT)}: {len(known.asked)} asked, "
        f"{len(known.unasked & read)} read about, {len(nobody)} neither; "
        f"something is known of {len(known.advisories)}"
    )
    for pin, ids in known.advisories.items():
        print(f"  {pin}: {', '.join(ids)}")
    if nobody:
        print(f"  neither: {', '.join(sorted(nobody))}")
    return not known.advisories and not nobody


if __name__ == "__main__":
    sys.exit(main())
