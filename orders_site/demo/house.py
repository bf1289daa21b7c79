"""The processes of the shop: web, relay and workers, beside the embedded parts."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command

from notifications import consumers, permissions, topology
from notifications.channels.receipts import consumer as receipts
from notifications.local.parts import PartFailed, http_status
from notifications.local.ports import HOST, free_port, is_free
from notifications.local.processes import Process
from notifications.local.sandbox import send_receipts
from notifications.local.stack import Stack

USERS = {"admin": "", "operator": permissions.OPERATOR, "reader": permissions.READER}
"""Who may log in, by the group that says what they may; without one, everything."""

WORKERS = {
    "worker-mail": "email,push",
    "worker-text": "sms,whatsapp,webhook,receipts",
    "worker-shop": "payments,inventory,analytics",
}
"""So that a hanging SMS provider does not slow the mail, and no message the shop's own work. The
last one serves the consumers that are in no list, too: one that you have just added."""

READY_WITHIN = 60.0
"""Seconds for a process to become ready: generous, a first start compiles every module."""


@dataclass(frozen=True)
class House:
    """The running processes, and what a person may open."""

    admin: str
    inbox: str
    password: str
    processes: tuple[Process, ...]
    parts: Stack

    @property
    def addresses(self) -> dict[str, str]:
        return {
            "admin": f"{self.admin}   user admin   password {self.password}",
            "also": "user operator or reader, who may do less, by the same password",
            "inbox": self.inbox,
        }

    def look(self, *, at_all: bool) -> None:
        """Raises PartFailed or ProcessFailed when an embedded part has ended by itself; at_all: a
        process of the shop too, without which the others go on."""
        self.parts.look()
        for process in self.processes if at_all else ():
            process.must_live()

    def close(self) -> None:
        """Ask all to stop at once, then wait: each finishes what it holds."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.stop()


def web_port(given: Mapping[str, str]) -> int:
    """DEMO_WEB_PORT, or a free one. Raises PartFailed."""
    value = given.get("DEMO_WEB_PORT", "")
    if not value:
        return free_port()
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise PartFailed(f"DEMO_WEB_PORT is {value!r}: use a port number, or leave it out.")
    if not is_free(int(value)):
        raise PartFailed(
            f"web: port {value} of {HOST} is taken. "
            "Set DEMO_WEB_PORT to another, or leave it out and a free one is chosen."
        )
    return int(value)


def furnish() -> str:
    """Tables, topology and the users, where missing; returns their new password."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("provision", verbosity=0)
    password = secrets.token_urlsafe(9)
    for name, group in USERS.items():
        user, _ = get_user_model().objects.get_or_create(username=name)
        user.is_staff, user.is_superuser = True, not group
        user.set_password(password)
        user.save()
        user.groups.set(Group.objects.filter(name=group))
    return password


def open_house(stack: Stack, *, port: int, password: str) -> House:
    """Start web, relay and workers, and wait until each is ready. Raises ProcessFailed.

    The providers say later what became of each message, so that the rows become delivered.
    """
    send_receipts(stack.environment, topology.current().topic(receipts.NAME).physical)
    web = _start(stack, "web", f"gunicorn orders_site.wsgi --bind=127.0.0.1:{port}")
    relay = _start(stack, "relay", "manage.py relay")
    workers = [
        _start(stack, name, f"celery -A orders_site worker -l INFO -Q {queues} -n {name}@%h")
        for name, queues in served(WORKERS).items()
    ]
    web.wait_until(lambda: http_status(port, "/admin/login/") == 200, within=READY_WITHIN)
    for process in (relay, *workers):
        process.wait_until(partial(_says_ready, process), within=READY_WITHIN)
    return House(
        admin=f"http://127.0.0.1:{port}/admin/",
        inbox=stack.environment["PROVIDER_SANDBOX_URL"] + "/",
        password=password,
        processes=(web, relay, *workers),
        parts=stack,
    )


def served(workers: Mapping[str, str]) -> dict[str, str]:
    """The same, with the consumers that none of them names given to the last."""
    named = set(",".join(workers.values()).split(","))
    others = [each.name for each in consumers.all_consumers() if each.name not in named]
    *rest, (last, queues) = workers.items()
    return {**dict(rest), last: ",".join([queues, *others])}


def _says_ready(process: Process) -> bool:
    return "ready" in process.log


def _start(stack: Stack, name: str, command: str) -> Process:
    program, *arguments = command.split()
    here = Path(sys.executable).parent
    return stack.processes.start(
        [sys.executable, *([program] if program == "manage.py" else [here / program]), *arguments],
        name=name,
        log=stack.directories.log(name),
        env={**os.environ, **stack.environment, "PYTHONUNBUFFERED": "1"},
    )
