"""Somebody's HTML on a page of ours: in a frame, from a URL of its own, where nothing runs.

A page's own policy forbids the inline styles that mails are made of, and a frame without a URL
(`srcdoc`) would inherit it. So the frame's document has a policy of its own: it may be drawn and
framed by us, but runs nothing, fetches nothing, and belongs to no site.

    <iframe sandbox="" src="{{ url }}" title="…" referrerpolicy="no-referrer" loading="lazy">
"""

from __future__ import annotations

from django.http import HttpResponse

POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
)


def document(html: str) -> HttpResponse:
    """The whole answer of such a URL. Whether the visitor may see it is for the view to say."""
    return HttpResponse(
        html,
        headers={
            "Content-Security-Policy": POLICY,
            "X-Frame-Options": "SAMEORIGIN",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store, private",
        },
    )
