"""Was anything lost, doubled or sent uncalled? The providers' word against the manifest's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from orders_site.demo.manifest import Call, Manifest


@dataclass(frozen=True)
class Verdict:
    """lost: called for and not accepted. doubled: accepted again. uncalled: nobody asked for it."""

    expected: int
    accepted: int
    lost: tuple[Call, ...]
    doubled: tuple[Call, ...]
    uncalled: tuple[Call, ...]

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.uncalled)

    @property
    def complete(self) -> bool:
        return not self.lost


def judge(manifest: Manifest, accepted: Iterable[Call]) -> Verdict:
    """Compare per (order, event type, channel, address); other runs' orders are left out."""
    times = Counter(call for call in accepted if call.subject in manifest.subjects)
    return Verdict(
        expected=len(manifest.required),
        accepted=sum(times.values()),
        lost=tuple(sorted(manifest.required - times.keys())),
        doubled=tuple(sorted(call for call, count in times.items() if count > 1)),
        uncalled=tuple(sorted(times.keys() - manifest.required - manifest.optional)),
    )
