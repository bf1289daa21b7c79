"""What a run is about: whom to tell of what, while it goes wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from orders_site.demo.manifest import Call, Manifest
from tests.chaos.ground import Ground
from tests.chaos.schedule import Step

CHANNELS = ("email", "sms", "whatsapp", "push")
SERVICES = ("payments", "inventory", "analytics")


class Scenario(ABC):
    """settings: the Django settings' module of our processes. size: orders, or recipients."""

    settings: str

    def __init__(self, *, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, in a few words."""

    @property
    @abstractmethod
    def members(self) -> Mapping[str, Sequence[str | Path]]:
        """Our processes: name → command. The web process is not among them."""

    @property
    @abstractmethod
    def seconds(self) -> float:
        """How long there is trouble."""

    @abstractmethod
    def plan(self) -> tuple[Step, ...]:
        """What goes wrong."""

    @abstractmethod
    def furnish(self, ground: Ground) -> None:
        """Once the tables and queues are there: what has to be there before the first call."""

    @abstractmethod
    def begin(self, ground: Ground, *, web: str) -> None:
        """Begin to call. Returns at once. web: the URL of the web process."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether everything has been called for."""

    @abstractmethod
    def close(self) -> None:
        """Call for nothing more."""

    @abstractmethod
    def called_for(self, path: Path) -> Manifest:
        """What was, in the end; kept in the file `path`, too."""

    @abstractmethod
    def silent(self, call: Call) -> bool:
        """Whether the provider says nothing later of what it took for this call."""

    def stocked(self) -> Mapping[str, int]:
        """Pieces by SKU on the shelves, before the first call."""
        return {}

    def complaints(self, ground: Ground) -> Sequence[str]:
        """What was not kept, besides: in words."""
        return ()

    def notes(self, ground: Ground) -> Sequence[str]:
        """What else was seen, in words; it fails nothing."""
        return ()
