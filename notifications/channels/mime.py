"""An email as RFC 5322 writes it: text, HTML, attachments and headers in 7-bit ASCII.

The standard library encodes what ASCII cannot hold (names, subjects, file names) and refuses a line
break in a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formataddr, make_msgid, parseaddr

from notifications.channels.base import Attachment, Message
from notifications.exceptions import PermanentError

MAX_BYTES = 40 * 1024 * 1024
"""Of a whole message, attachments encoded: what SES v2 takes, by API and by SMTP, and more than
most mailboxes do (Amazon SES Developer Guide, Service quotas, "Message quotas").
https://docs.aws.amazon.com/ses/latest/dg/quotas.html"""

LONGEST_LINE = 998
"""Characters, its end not counted (RFC 5322, 2.1.1)."""


class _Policy(EmailPolicy):
    """A header of one long word stays that word. The standard library would make encoded words of
    it, in which no mail program finds the link to unsubscribe (RFC 2369: a URL between < and >)."""

    def fold_binary(self, name: str, value: str) -> bytes:
        line = f"{name}: {value}"
        if line.isascii() and len(str(value).split()) == 1 and len(line) <= LONGEST_LINE:
            return f"{line}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Policy(cte_type="7bit", linesep="\r\n")
"""Not every way to a mailbox is clean for 8 bits, and SES asks for 7 (API v2, RawMessage)."""

_BASE64_LINE, _BASE64_WRITTEN = 57, 78
"""Bytes of content on one line of base64, and what it takes with its line break (RFC 2045, 6.8)."""


def written(
    message: Message, *, sender: str, recipient: str, headers: Mapping[str, str]
) -> EmailMessage:
    """The email. PermanentError: `message_too_large`, or `invalid_header` for one that no email
    may have."""
    refuse_too_large(message.attachments)
    email = EmailMessage(policy=_POLICY)
    try:
        for name, value in {
            "From": sender,
            "To": recipient,
            "Subject": message.content.subject,
            "Message-ID": make_msgid(domain=domain_of(sender)),
            **headers,
        }.items():
            email[name] = value
    except ValueError as error:
        raise _unwritable(error) from None
    email.set_content(message.content.text)
    if message.content.html:
        email.add_alternative(message.content.html, subtype="html")
    for attachment in message.attachments:
        _attach(email, attachment)
    return email


def refuse_too_large(attachments: tuple[Attachment, ...]) -> None:
    """Before megabytes are encoded for nothing: the provider would say no, too."""
    if (size := sum(_encoded(len(each.content)) for each in attachments)) > MAX_BYTES:
        raise too_large(size)


def too_large(size: int) -> PermanentError:
    return PermanentError(
        f"The email has {size / 1024 / 1024:.1f} MB with its attachments, and may have "
        f"{MAX_BYTES // 1024 // 1024}.",
        "message_too_large",
    )


def ascii_sender(sender: str) -> str:
    """A From header's value in ASCII: its name as encoded words, its domain in its IDNA form.
    Raises ValueError for another local part."""
    if sender.isascii():
        return sender
    name, address = parseaddr(sender)
    local, _, domain = address.rpartition("@")
    return formataddr((name, f"{local}@{domain.encode('idna').decode('ascii')}"))


def domain_of(sender: str) -> str:
    """Of a From header's address."""
    return sender.rpartition("@")[2].strip(" >") or "localhost"


def _attach(email: EmailMessage, attachment: Attachment) -> None:
    main, _, sub = attachment.media_type.partition("/")
    try:
        email.add_attachment(
            attachment.content,
            maintype=main or "application",
            subtype=sub or "octet-stream",
            filename=attachment.name,
        )
    except ValueError as error:
        raise _unwritable(error) from None


def _unwritable(error: ValueError) -> PermanentError:
    """Its class only: the text quotes the value."""
    return PermanentError(
        f"A header of the email cannot be written ({type(error).__name__}): a line break, or a "
        "second one of its kind.",
        "invalid_header",
    )


def _encoded(size: int) -> int:
    lines, rest = divmod(size, _BASE64_LINE)
    return lines * _BASE64_WRITTEN + (-(-rest // 3) * 4 + 2 if rest else 0)
