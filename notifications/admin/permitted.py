"""Permitted: what a button says to whom may not press it."""

from __future__ import annotations

from typing import Any

from django.db.models.options import Options
from django.http import HttpRequest
from django.utils.translation import gettext as _


def refusal(request: HttpRequest, opts: Options[Any], codename: str) -> str:
    """Why this visitor may not; empty when they have the permission."""
    if request.user.has_perm(f"{opts.app_label}.{codename}"):
        return ""
    return why_not(opts, codename)


def why_not(opts: Options[Any], codename: str) -> str:
    """What a button says to whom has no such permission; one of the model's own, or Django's."""
    usual = {f"{verb}_{opts.model_name}": verb for verb in opts.default_permissions}
    named = dict(opts.permissions).get(codename)
    if named is None:  # as Django names it where permissions are given
        named = f"Can {usual.get(codename, codename)} {opts.verbose_name_raw}"
    return _("You lack the permission \u201c%(name)s\u201d.") % {"name": named}
