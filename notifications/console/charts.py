"""Charts: figures over time as an SVG, made here, and the same figures as a table.

Pure functions. Colours are classes (admin.css), so that a strict Content-Security-Policy and both
colour schemes hold; texts stand beside the picture, in HTML, so that they can be read on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from notifications.admin.display import number

WIDTH, HEIGHT = 960, 160
"""Of the picture's own units; the page stretches it."""

GAP = 0.2
"""The part of a bar's place that stays free."""


@dataclass(frozen=True)
class Layer:
    """One colour of a stack: "good", "quiet", "trouble", "bad" or "waiting". values: one for each
    bar; None where nobody knows."""

    label: str
    tone: str
    values: Sequence[int | None]

    @property
    def total(self) -> int:
        return sum(value or 0 for value in self.values)


@dataclass(frozen=True)
class Chart:
    """Stacked bars. key: unique on its page. labels: what each bar is about ("14:03")."""

    key: str
    title: str
    labels: Sequence[str]
    layers: Sequence[Layer]

    @cached_property
    def sums(self) -> list[int | None]:
        """How high each bar is; None where nobody knows."""
        return [
            None if all(value is None for value in values) else sum(value or 0 for value in values)
            for values in zip(*(layer.values for layer in self.layers), strict=True)
        ]

    @cached_property
    def top(self) -> int:
        """What the height of the picture stands for: 1, 2 or 5 and noughts."""
        return ceiling(max((value or 0 for value in self.sums), default=0))

    @property
    def marks(self) -> tuple[str, str, str]:
        """Beside the picture, from its top to its bottom."""
        middle = self.top / 2
        return number(self.top), number(int(middle) if middle.is_integer() else middle), "0"

    @property
    def ends(self) -> tuple[str, str, str]:
        """The labels below the picture: its first bar, the one in the middle, its last."""
        if not self.labels:
            return "", "", ""
        return self.labels[0], self.labels[len(self.labels) // 2], self.labels[-1]

    @cached_property
    def summary(self) -> str:
        """The picture in words."""
        sums = self.sums
        known = [(value, label) for value, label in zip(sums, self.labels, strict=True)
                 if value is not None]  # fmt: skip
        if not known:
            return _("Nothing is known of this time.")
        most, label = max(known, key=lambda each: each[0])
        total = sum(value for value, _label in known)
        if not total:
            return _("Nothing in this time.")
        parts = ", ".join(f"{layer.label} {number(layer.total)}" for layer in self.layers)
        said = _("%(total)s in all: %(parts)s. Most: %(most)s at %(label)s.") % {
            "total": number(total),
            "parts": parts,
            "most": number(most),
            "label": label,
        }
        holes = len(sums) - len(known)
        return f"{said} {_('Grey: nothing is known.')}" if holes else said

    @property
    def rows(self) -> list[tuple[str, list[int | None]]]:
        """The table, the latest first."""
        values = zip(*(layer.values for layer in self.layers), strict=True)
        return [(label, list(row)) for label, row in zip(self.labels, values, strict=True)][::-1]

    @property
    def svg(self) -> SafeString:
        return svg(self)


def svg(chart: Chart) -> SafeString:
    """The picture alone; a point on a bar says its figures."""
    step = WIDTH / max(1, len(chart.labels))
    bars = [
        _bar(chart, index, x=index * step + step * GAP / 2, width=step * (1 - GAP))
        for index in range(len(chart.labels))
    ]
    return format_html(
        '<svg class="notifications-chart" viewBox="0 0 {w} {h}" preserveAspectRatio="none" '
        'role="img" aria-labelledby="{key}-title {key}-desc">'
        '<title id="{key}-title">{title}</title><desc id="{key}-desc">{desc}</desc>'
        '<path class="notifications-chart-grid" d="M0 0.5H{w}M0 {half}H{w}M0 {low}H{w}"/>'
        "{bars}</svg>",
        w=WIDTH,
        h=HEIGHT,
        half=HEIGHT / 2,
        low=HEIGHT - 0.5,
        key=chart.key,
        title=chart.title,
        desc=chart.summary,
        bars=format_html_join("", "{}", ((bar,) for bar in bars)),
    )


def ceiling(value: int) -> int:
    """The least of 1, 2, 5, 10, 20, 50, … that is not below the value."""
    unit = 1
    while True:
        for digit in (1, 2, 5):
            if value <= digit * unit:
                return digit * unit
        unit *= 10


def _bar(chart: Chart, index: int, *, x: float, width: float) -> SafeString:
    label, total = chart.labels[index], chart.sums[index]
    if total is None:
        said = f"{label}: {_('nothing is known')}"
        return _part("unknown", x, 0, width, HEIGHT, said)
    parts: list[SafeString] = []
    y = float(HEIGHT)
    for layer in chart.layers:
        value = layer.values[index] or 0
        if value:
            height = value / chart.top * HEIGHT
            y -= height
            said = f"{label}: {layer.label} {number(value)}"
            parts.append(_part(layer.tone, x, y, width, height, said))
    return format_html_join("", "{}", ((part,) for part in parts))


def _part(tone: str, x: float, y: float, width: float, height: float, said: str) -> SafeString:
    return format_html(
        '<rect class="notifications-chart-{}" x="{}" y="{}" width="{}" height="{}">'
        "<title>{}</title></rect>",
        tone,
        f"{x:.1f}",
        f"{y:.2f}",
        f"{width:.1f}",
        f"{height:.2f}",
        said,
    )
