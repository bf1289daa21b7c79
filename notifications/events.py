"""What a shop declares: its event types, each a frozen model of ids and facts.

    @event("order.created", version=1, subject="order/{order_id}")
    class OrderCreated(EventData):
        order_id: int

An event is a fact in the past tense. Its data holds ids and facts only, never an
address or a name: queues and dead letters are no place for personal data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from string import Formatter
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, ValidationError

from notifications.conf import SERVICE
from notifications.exceptions import EventRefused, NewerEvent, UnknownEvent

MAX_NAMED, MAX_LOCATION = 10, 100
"""Wrong fields that a refusal names, and characters of where each of them stands."""

UNKNOWN_HELD = timedelta(minutes=30)
"""For which an event waits whose type is not known here: a rolling deploy may yet bring it."""

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\Z")


class EventData(BaseModel):
    """Base of every payload: immutable, and strict about fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class EventType:
    """One registered type and version.

    `subject` is a format string over the data's fields ("order/{order_id}").
    `topic` is the event domain's SNS topic, without the environment's prefix; empty: it is put
    on queues only, by us.
    `worth_sending_for`: after this long a notification about it is skipped as expired.
    `category`: the key of NOTIFICATIONS["CATEGORIES"] by which people say what they want to hear.
    `urgent`: worth waking somebody for; quiet hours do not hold it back.
    `internal`: made by this worker for one of its own tasks. It is no fact of the shop: it has
    no topic, is recorded nowhere, and nobody can send it.
    """

    name: str
    version: int
    data: type[EventData]
    subject: str
    topic: str
    worth_sending_for: timedelta
    internal: bool = False
    category: str = SERVICE
    urgent: bool = False

    def subject_of(self, data: EventData) -> str:
        return self.subject.format(**data.model_dump())

    def parse(self, data: dict[str, Any]) -> EventData:
        """The validated data, or `EventRefused` naming each wrong field."""
        try:
            return self.data.model_validate(data)
        except ValidationError as error:
            if _is_newer(error):
                raise NewerEvent(f"{self.name} v{self.version}: {_fields(error)}") from None
            raise EventRefused(f"{self.name} v{self.version}: {_fields(error)}") from None


_registry: dict[tuple[str, int], EventType] = {}
_by_model: dict[type[EventData], EventType] = {}
_Model = TypeVar("_Model", bound=type[EventData])


def event(
    name: str,
    *,
    subject: str,
    version: int = 1,
    topic: str = "order-events",
    worth_sending_for: timedelta = timedelta(days=3),
    internal: bool = False,
    category: str = SERVICE,
    urgent: bool = False,
) -> Callable[[_Model], _Model]:
    """Register the decorated `EventData` class as the payload of `name` at `version`."""

    def register(model: _Model) -> _Model:
        if not _NAME.match(name):
            raise ImproperlyConfigured(
                f"Event type {name!r}: use lower-case words joined by dots, like 'order.created'."
            )
        for problem in _misfits(model, subject, version, worth_sending_for):
            raise ImproperlyConfigured(f"Event type {name!r}: {problem}.")
        known = _registry.get((name, version))
        if known is not None and known.data.__qualname__ != model.__qualname__:
            raise ImproperlyConfigured(
                f"Event {name!r} version {version} is registered twice: "
                f"{known.data.__module__}.{known.data.__qualname__} and "
                f"{model.__module__}.{model.__qualname__}. Raise the version of one."
            )
        entry = EventType(
            name,
            version,
            model,
            subject,
            topic,
            worth_sending_for,
            internal=internal,
            category=category,
            urgent=urgent,
        )
        _registry[name, version] = entry
        _by_model[model] = entry
        return model

    return register


def _misfits(model: Any, subject: str, version: Any, worth_sending_for: Any) -> Iterator[str]:
    """What would otherwise fail where an event is recorded, or told: in production, each time."""
    if not (isinstance(model, type) and issubclass(model, EventData)):
        yield f"its class must be an EventData: class {getattr(model, '__name__', '…')}(EventData)"
        return
    if type(version) is not int or version < 1:
        yield f"version is {version!r}, and must be a whole number from 1 on"
    if not isinstance(worth_sending_for, timedelta):
        yield f"worth_sending_for is {worth_sending_for!r}, and must be a timedelta"
    has = [*model.model_fields, *model.model_computed_fields]
    try:
        named = [field for _, field, _, _ in Formatter().parse(subject) if field is not None]
    except ValueError as error:
        yield f"subject {subject!r} cannot be read: {error}"
        return
    for field in named:
        if re.split(r"[.[]", field, maxsplit=1)[0] not in has:
            yield f"subject {subject!r} names {field!r}; {model.__name__} has: {', '.join(has)}"


def event_type(name: str, version: int) -> EventType:
    """The registered type, or `UnknownEvent`."""
    try:
        return _registry[name, version]
    except KeyError:
        raise UnknownEvent(f"{name} version {version} is not registered here") from None


def type_of(data: EventData) -> EventType:
    """The type that this payload's class was registered for."""
    if not isinstance(data, EventData):
        given = data.__name__ if isinstance(data, type) else f"a {type(data).__name__}"
        raise UnknownEvent(
            f"{given} is no event: give an instance of a class that @event(...) registered, "
            "as OrderCreated(order_id=7)"
        )
    try:
        return _by_model[type(data)]
    except KeyError:
        raise UnknownEvent(
            f"{type(data).__qualname__} is not a registered event: decorate it with @event(...)"
        ) from None


def newest(name: str) -> EventType:
    """The highest registered version of `name` (what an unversioned foreign message means)."""
    versions = [version for known, version in _registry if known == name]
    if not versions:
        raise UnknownEvent(f"{name} is not registered here")
    return _registry[name, max(versions)]


def is_name(name: str) -> bool:
    """Whether an event type may be called that."""
    return bool(_NAME.match(name))


def unregister(name: str) -> None:
    """Forget every version of a type (a digest that is configured no more)."""
    for key, kind in [*_registry.items()]:
        if kind.name == name:
            del _registry[key]


def all_event_types() -> tuple[EventType, ...]:
    """Every type that travels, by name and version."""
    kinds = (_registry[key] for key in sorted(_registry))
    return tuple(kind for kind in kinds if not kind.internal)


def _is_newer(error: ValidationError) -> bool:
    """Whether nothing is wrong but fields that this model does not have."""
    return all(problem["type"] == "extra_forbidden" for problem in error.errors(include_url=False))


def _fields(error: ValidationError) -> str:
    """The wrong fields and what is wrong with them; of a hostile body's hundred thousand, some."""
    problems = error.errors(include_url=False, include_input=False)
    named = [f"{_location(problem['loc'])}: {problem['msg']}" for problem in problems[:MAX_NAMED]]
    if len(problems) > MAX_NAMED:
        named.append(f"and {len(problems) - MAX_NAMED} more")
    return "; ".join(named)


def _location(steps: tuple[int | str, ...]) -> str:
    return ".".join(map(str, steps))[:MAX_LOCATION] or "data"
