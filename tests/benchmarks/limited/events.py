"""The same event as that of the empty task."""

from tests.benchmarks.project.events import Ordered

__all__ = ["Ordered"]
