"""`manage.py templates`: what is in use, and to publish, bring back and exchange what is edited."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from notifications.management.verbs import VerbCommand, add_changing, listing, whoever
from notifications.models import Event, TemplateVersion
from notifications.templating import editing, exchange, places, previews, samples, trials
from notifications.templating.editing import Refused
from notifications.templating.examination import examine
from notifications.templating.places import NoSuchPlace, Place, Standing

DRAFT, IN_USE = "draft", "in-use"


class Command(VerbCommand):
    help = (
        "List what people are told and whether a file or a published version is in use; show, "
        "compare, preview, try, publish, roll back and take back templates; export them to files, "
        "import files as drafts, throw drafts away. Without a verb, the list."
    )
    verbs = (
        *("list", "show", "diff", "preview", "test", "publish", "rollback", "take-back"),
        *("export", "import", "drop-draft"),
    )

    def add_verbs(self, verbs: Any) -> None:
        listing(verbs, help="every event type, channel and language")
        showing = listing(verbs, "show", help="the texts of a version, of the draft, or in use")
        _add_place(showing)
        _add_which(showing, IN_USE)
        differing = listing(verbs, "diff", help="what a version or the draft would change")
        _add_place(differing)
        _add_which(differing, DRAFT)
        looking = listing(verbs, "preview", help="how it looks with a real event")
        _add_place(looking)
        _add_which(looking, IN_USE)
        looking.add_argument("--event", type=UUID, help="its id; the latest of the type")
        trying = listing(verbs, "test", help="send one, marked as a test, to an address")
        _add_place(trying)
        _add_which(trying, IN_USE)
        trying.add_argument("--event", type=UUID, help="its id; the latest of the type")
        trying.add_argument("--to", required=True, help="whom: an address of the channel")
        add_changing(trying)
        publishing = listing(verbs, "publish", help="let the draft be what is sent")
        _add_place(publishing)
        add_changing(publishing, reason="why; it is kept with the version")
        rolling = listing(verbs, "rollback", help="bring an older version back, as a new one")
        _add_place(rolling)
        rolling.add_argument("number", type=int, help="the version's number")
        add_changing(rolling, reason="why; it is kept with the version")
        taking = listing(verbs, "take-back", help="use the files again")
        _add_place(taking)
        add_changing(taking, reason="why; it is kept with the version")
        exporting = listing(verbs, "export", help="write what is published into files")
        _add_place(exporting, needed=False)
        exporting.add_argument("--to", type=Path, required=True, help="a templates directory")
        exporting.add_argument("--dry-run", action="store_true", help="say what would be written")
        importing = listing(verbs, "import", help="keep what differs in files as drafts")
        importing.add_argument("directory", type=Path, help="a templates directory")
        add_changing(importing)
        dropping = listing(verbs, "drop-draft", help="throw the draft away")
        _add_place(dropping)
        add_changing(dropping)

    def do(self, verb: str, **options: Any) -> None:
        try:
            getattr(self, f"_{verb.replace('-', '_')}")(**options)
        except NoSuchPlace as error:
            raise CommandError(error.message) from None
        except Refused as refused:
            faults = "".join(f"\n  {fault}" for fault in refused.faults)
            raise CommandError(f"Nothing was done: {refused.message}{faults}") from None

    def _list(self, **options: Any) -> None:
        found = places.standings()
        if options["json"]:
            self._say({"templates": [_row(each) for each in found]})
            return
        width = max((len(_named(each.place)) for each in found), default=0)
        for each in found:
            draft = f", version {each.draft.number} is a draft" if each.draft else ""
            self.stdout.write(f"  {_named(each.place):<{width}}  {each.in_use}{draft}")

    def _show(self, **options: Any) -> None:
        place = _place(options)
        texts = self._texts(place, options["which"])
        if options["json"]:
            self._say({**_name(place), "which": options["which"], "texts": texts})
            return
        for field, text in texts.items():
            self.stdout.write(f"--- {field}\n{text}")

    def _diff(self, **options: Any) -> None:
        place = _place(options)
        changed = editing.difference(
            places.texts_in_use(place), self._texts(place, options["which"])
        )
        if options["json"]:
            self._say({**_name(place), "which": options["which"], "changes": changed})
            return
        for field, lines in changed.items():
            self.stdout.write("\n".join([f"--- {field}", *lines]))
        if not changed:
            self.stdout.write("nothing is different")

    def _preview(self, **options: Any) -> None:
        place = _place(options)
        texts = None if options["which"] == IN_USE else self._texts(place, options["which"])
        seen = previews.preview(place, _event(place, options["event"]), texts)
        if seen.content is None:
            raise CommandError(seen.problem)
        content = {part.field: getattr(seen.content, part.field) for part in place.parts}
        if options["json"]:
            self._say({**_name(place), "content": content, "segments": seen.segments})
            return
        for field, text in content.items():
            self.stdout.write(f"--- {field}\n{text}")
        if cost := seen.segments:
            self.stdout.write(
                f"{cost.encoding}, {cost.characters} characters, {cost.parts} part(s)"
            )

    def _test(self, **options: Any) -> None:
        place = _place(options)
        texts = None if options["which"] == IN_USE else self._texts(place, options["which"])
        event = _event(place, options["event"])
        if options["dry_run"]:
            if problem := previews.preview(place, event, texts).problem:
                raise CommandError(problem)
            said = f"would be sent with {event}; nothing was done"
        else:
            said = trials.send_test(place, event, texts, to=options["to"], by=_who(options))
        if options["json"]:
            self._say({**_name(place), "said": said, "dry_run": options["dry_run"]})
        else:
            self.stdout.write(f"{_named(place)}: {said}")

    def _drop_draft(self, **options: Any) -> None:
        place = _place(options)
        draft = places.standing(place).draft
        if draft is None:
            raise Refused("there is no draft")
        if not options["dry_run"]:
            editing.drop_draft(place, by=_who(options), revision=draft.revision)
        word = "a draft; nothing was done" if options["dry_run"] else "thrown away"
        self._done(place, draft, word, options)

    def _publish(self, **options: Any) -> None:
        place = _place(options)
        draft = places.standing(place).draft
        if draft is None:
            raise Refused("there is no draft")
        if options["dry_run"]:
            self._examined(place, draft, options)
            return
        version = editing.publish(place, by=_who(options), comment=options["reason"])
        self._done(place, version, "published", options)

    def _rollback(self, **options: Any) -> None:
        place = _place(options)
        if options["dry_run"]:
            self._examined(place, editing.version(place, options["number"]), options)
            return
        before = places.standing(place).published
        version = editing.roll_back(
            place, options["number"], by=_who(options), comment=options["reason"]
        )
        self._done(place, version, f"published, as version {options['number']} was", options)
        self._whom_it_told(before, options)

    def _take_back(self, **options: Any) -> None:
        place = _place(options)
        if options["dry_run"]:
            version = editing.to_take_back(place)
            self._done(place, version, "in use and would be taken back; nothing was done", options)
            return
        version = editing.take_back(place, by=_who(options), why=options["reason"])
        self._done(place, version, "taken back", options)
        self._whom_it_told(version, options)

    def _whom_it_told(self, version: TemplateVersion | None, options: Any) -> None:
        """How to tell them again, where it was wrong; programs have its label."""
        if version is not None and not options["json"]:
            self.stdout.write(
                f"Whom version {version.number} told, to be told again: manage.py resend "
                f'--template-version {version.label} --state sent delivered --reason "…"'
            )

    def _export(self, **options: Any) -> None:
        texts: dict[str, str] = {}
        if options["event_type"]:
            texts = exchange.exported(_place(options))
        else:
            for each in places.standings():
                texts |= exchange.exported(each.place) if each.published else {}
        if not options["dry_run"]:
            with _files(options["to"]):
                exchange.write(options["to"], texts)
        self._listed("would be written" if options["dry_run"] else "written", texts, options)

    def _import(self, **options: Any) -> None:
        directory = options["directory"]
        with _files(directory):
            if not directory.is_dir():
                raise CommandError(f"{directory} is no directory")
            changed = {
                place: texts
                for place, texts in exchange.found(directory)
                if _differs(places.texts_in_use(place), texts)
            }
        if not options["dry_run"]:
            for place, texts in changed.items():
                exchange.import_draft(place, texts, by=_who(options))
        word = "would be a draft" if options["dry_run"] else "is a draft"
        self._listed(word, map(_named, changed), options)

    def _texts(self, place: Place, which: str) -> dict[str, str]:
        standing = places.standing(place)
        if which == IN_USE:
            return places.texts_in_use(place)
        if which == DRAFT:
            if standing.draft is None:
                raise Refused("there is no draft")
            return dict(standing.draft.parts)
        if not (which.isascii() and which.isdecimal() and len(which) < 19):
            raise CommandError(f'{which!r} is no version: give its number, "draft" or "in-use"')
        return dict(editing.version(place, int(which)).parts)

    def _examined(self, place: Place, version: TemplateVersion, options: Any) -> None:
        """What publishing it would say; nothing is done."""
        if faults := examine(place, version.parts):
            raise Refused("it cannot be published", faults)
        self._done(place, version, "sound and would be published; nothing was done", options)

    def _done(self, place: Place, version: TemplateVersion, word: str, options: Any) -> None:
        if options["json"]:
            dry = options.get("dry_run", False)
            self._say({**_name(place), **version.as_json(), "dry_run": dry})
        else:
            self.stdout.write(f"{_named(place)}: version {version.number} is {word}")

    def _listed(self, word: str, names: Any, options: Any) -> None:
        found = list(names)
        if options["json"]:
            self._say({"dry_run": options["dry_run"], "found": found})
            return
        for name in found:
            self.stdout.write(f"{name} {word}")
        if not found:
            self.stdout.write("nothing is different, so nothing was done")

    def _say(self, answer: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(answer, cls=_Encoder))


@contextmanager
def _files(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"{error.filename or directory}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CommandError(f"{directory} holds a template that is no UTF-8.") from None


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        return vars(o) if hasattr(o, "__dataclass_fields__") else super().default(o)


def _add_place(parser: ArgumentParser, *, needed: bool = True) -> None:
    many = None if needed else "?"
    parser.add_argument("event_type", nargs=many, help="order.created")
    parser.add_argument("channel", nargs=many, default="", help="email")
    parser.add_argument("language", nargs="?", default="", help='"de"; the default')


def _add_which(parser: ArgumentParser, which: str) -> None:
    parser.add_argument(
        "--version",
        dest="which",
        default=which,
        help=f'a version\'s number, "draft" or "in-use" ({which})',
    )


def _place(options: dict[str, Any]) -> Place:
    return places.find(options["event_type"], options["channel"], options["language"])


def _event(place: Place, event_id: UUID | None) -> Event:
    if event_id is not None:
        found = Event.objects.filter(pk=event_id, type=place.event_type).first()
        if found is None:
            raise CommandError(f"there is no {place.event_type} of that id")
        return found
    for each in samples.latest(place.event_type):
        if samples.sample(each, place) is not None:
            return each
    raise CommandError(f"no {place.event_type} has been recorded yet")


def _who(options: dict[str, Any]) -> str:
    return whoever(options["by"])


def _differs(before: dict[str, str], after: dict[str, str]) -> bool:
    return bool(editing.difference(before, after))


def _named(place: Place) -> str:
    return f"{place.event_type} {place.channel} {place.language}"


def _name(place: Place) -> dict[str, str]:
    return {"event_type": place.event_type, "channel": place.channel, "language": place.language}


def _row(standing: Standing) -> dict[str, Any]:
    return {
        **_name(standing.place),
        "in_use": standing.in_use,
        "published": standing.published.as_json() if standing.published else None,
        "draft": standing.draft.as_json() if standing.draft else None,
        "has_files": standing.has_files,
    }
