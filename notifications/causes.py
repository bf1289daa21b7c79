"""Causes: why a dead letter is here, in a sentence: what its reason means to an operator."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.models import DeadLetter

SENTENCES: dict[str, Promise] = {
    "not_an_event": _("No event can be read in it: whoever sent it must mend it."),
    "unknown_event": _(
        "An event of a type or version that no worker here came to know within half an hour: "
        "deploy one that does, then redrive it."
    ),
    "attempts_exhausted": _("It was tried as often as its consumer allows, and failed each time."),
    "poison": _("Its task began and never ended, again and again: it kills or hangs its process."),
    "max_receives": _(
        "SQS moved it here after its queue's maxReceiveCount: it was received again and again, "
        "and no worker lived to say why."
    ),
    "sns_could_not_deliver": _(
        "SNS could not deliver it: its queue was gone, did not let its topic send, or has a key "
        "that SNS may not use. `manage.py provision --check` says more; redrive it after that."
    ),
    "event_lost": _(
        "It happened after the backup from which the database was restored, which knows nothing of "
        "it: put right what it is about, then redrive it; or discard it."
    ),
    "not_recorded": _(
        "It bears our name, and our outbox has not recorded it, or not with these facts: somebody "
        "who may publish has forged it, or its row was lost. Redrive it only if you know that it "
        "is true: that records it."
    ),
    "failed": _("Its task raised an error that trying again would not mend: a bug, most likely."),
}

REFUSED = _("Its task gave it up for good; the code is the error's own.")


def sentence(letter: DeadLetter) -> str:
    return str(SENTENCES.get(letter.reason, REFUSED))
