"""`manage.py demo`: the same as `make demo`, with the same options."""

from __future__ import annotations

import os
import sys

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Set everything up on this machine, place orders and show what becomes of them."
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand over to the demo: it starts PostgreSQL before Django reads its settings."""
        os.execv(sys.executable, [sys.executable, "-m", "orders_site.demo", *argv[2:]])  # noqa: S606
