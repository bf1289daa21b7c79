"""The SMTP door of the email channel, on the same script, limit and store as SES.

It offers STARTTLS, and takes any password but one.
"""

from __future__ import annotations

import asyncio
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from notifications.channels.script import Behaviour, Step
from notifications.local.providers.sandbox import Sandbox
from notifications.local.providers.ses import read_email

WRONG_PASSWORD = "wrong"  # noqa: S105 - the one that is refused
_THROTTLED = "454 Throttling failure: Maximum sending rate exceeded."
_FAILED = "451 4.3.0 Temporary service failure."
_REFUSED = "554 5.7.1 {code}: refused by the sandbox's script."
_SCRIPT = "Refused by the sandbox's script."
_CHANNEL = "email"


class Handler:
    """Decides once per message, by its first recipient, as SES does.

    A refusal by a code of SMTP's own is said to the recipient (`550`) or, written `data:554`, after
    the message; any other refusal after the message, as 554.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not envelope.rcpt_tos:
            sender = str(envelope.mail_from or "")
            step = self._sandbox.decide(_CHANNEL, parseaddr(address)[1], sender)
            envelope.step = step  # type: ignore[attr-defined]
            if step.behaviour is Behaviour.REFUSE and step.code.isdigit():
                return f"{step.code} {step.message or _SCRIPT}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content or b""
        assert isinstance(content, bytes)  # noqa: S101 - what SMTP(decode_data=False) gives
        email = message_from_bytes(content, policy=policy.default)
        assert isinstance(email, EmailMessage)  # noqa: S101 - what policy.default makes
        addresses = tuple(parseaddr(address)[1] for address in envelope.rcpt_tos)
        edition = self._sandbox.edition
        step: Step = envelope.step  # type: ignore[attr-defined]
        match step.behaviour:
            case Behaviour.THROTTLE:
                return _THROTTLED
            case Behaviour.SERVER_ERROR:
                return _FAILED
            case Behaviour.REFUSE if step.code.startswith("data:"):
                return f"{step.code.removeprefix('data:')} {step.message or _SCRIPT}"
            case Behaviour.REFUSE:
                return _REFUSED.format(code=step.code)
            case Behaviour.HANG_UP:
                return _hang_up(server)
            case Behaviour.HANG:
                await asyncio.Event().wait()
            case Behaviour.DELAY:
                await asyncio.sleep(step.seconds)
        incoming = read_email(email, addresses, str(envelope.mail_from or ""))
        provider_message_id = self._sandbox.accept(_CHANNEL, incoming, edition)
        if step.behaviour is Behaviour.ACCEPT_THEN_DROP:
            return _hang_up(server)
        return f"250 2.0.0 Ok {provider_message_id}"


async def listen(sandbox: Sandbox, host: str, port: int, tls: ssl.SSLContext) -> asyncio.Server:
    """The listener, on the running loop."""
    loop = asyncio.get_running_loop()

    def connection() -> Any:
        return SMTP(
            Handler(sandbox),
            hostname="sandbox",
            ident="provider sandbox",
            loop=loop,
            tls_context=tls,
            authenticator=_authenticate,
        )

    return await loop.create_server(connection, host, port)


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
) -> AuthResult:
    right = isinstance(given, LoginPassword) and given.password != WRONG_PASSWORD.encode()
    return AuthResult(success=right, handled=False)


def _hang_up(server: SMTP) -> str:
    transport = server.transport
    if transport is not None:
        transport.close()
    return "421 4.3.0 never read"
