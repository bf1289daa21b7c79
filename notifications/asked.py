"""Asked: what an attempt asked of its provider, in one line of numbers.

It is kept beside the answer, in the same statement: whoever looks for a fault sees which operation
was called with how much of what, and whether it was told a second time. No address stands in it,
and no word of what was said.
"""

from __future__ import annotations

from notifications.channels.base import ChannelAdapter, Message
from notifications.channels.sms_parts import segments

MOST = 255
"""Characters, as the attempt's column keeps them."""

SMS = "sms"


def in_a_line(message: Message, adapter: ChannelAdapter, *, channel: str) -> str:
    """ "SendEmail; subject 24, text 310, html 5210 characters; 1 attachment; key <…>.0"."""
    content = message.content
    sizes = {"subject": content.subject, "text": content.text, "html": content.html}
    counted = ", ".join(f"{name} {len(text)}" for name, text in sizes.items() if text)
    parts = segments(content.text).parts if channel == SMS else 1
    template = content.template.get("name", "")
    attached = len(message.attachments)
    said = (
        adapter.operation,
        f"{counted} characters" if counted else "",
        f"{parts} parts" if parts > 1 else "",
        f"the provider's template {template}" if template else "",
        f"{attached} attachments" if attached > 1 else "1 attachment" if attached else "",
        f"version {content.template_version}" if content.template_version else "",
        f"key {message.idempotency_key}",
    )
    return "; ".join(filter(None, said))[:MOST]
