"""The provider sandbox as an embedded part: what is sent never leaves this machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from notifications.local.emulator import ACCOUNT, REGION
from notifications.local.parts import Part, http_status
from notifications.local.ports import HOST, is_here
from notifications.local.providers.client import SandboxClient

FCM_PROJECT = "local-shop"
PAYMENT_API_KEY = "sandbox-key"
"""Any will do: the sandbox's payment provider asks for one and knows none."""
SANDBOX_URL = "PROVIDER_SANDBOX_URL"
SMTP_PORT_VARIABLE = "LOCAL_PROVIDERS_SMTP_PORT"


class ProviderSandbox(Part):
    """`notifications.local.providers` as a process of its own, with an HTTP and an SMTP port.

    durable: keep what was accepted in a file, so that the inbox is there after a restart.
    """

    name = "providers"
    title = "Providers"
    port_variable = "LOCAL_PROVIDERS_PORT"
    instead = "To use a sandbox that already runs, set PROVIDER_SANDBOX_URL."
    yields = True  # a real provider's endpoint may be set for one channel

    @property
    def smtp_port(self) -> int:
        return self.ports[SMTP_PORT_VARIABLE]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **sandbox_environment(f"http://{HOST}:{self.port}"),
            "PROVIDER_SANDBOX_SMTP": f"{HOST}:{self.smtp_port}",
            "PROVIDER_SANDBOX_CERTIFICATE": str(self._certificate),
            "GOOGLE_APPLICATION_CREDENTIALS": str(self._credentials),
        }

    @property
    def where(self) -> str:
        return f"{super().where}/ (inbox), smtp://{HOST}:{self.smtp_port}"

    def command(self) -> Sequence[str | Path]:
        journal = self.directories.home / "providers.journal"
        return [
            *(sys.executable, "-m", "notifications.local.providers", "--host", HOST),
            *("--port", str(self.port), "--smtp-port", str(self.smtp_port)),
            *("--smtp-certificate", self._certificate),
            *("--google-credentials", self._credentials, "--project-id", FCM_PROJECT),
            *(("--journal", journal) if self.durable else ()),
        ]

    def answers(self) -> bool:
        return self._has_credentials() and http_status(self.port, "/health") == 200

    def _has_credentials(self) -> bool:
        """Written anew if the port is another; never away, for nothing starts while it is."""
        file = self._credentials
        return file.is_file() and f"http://{HOST}:{self.port}/" in file.read_text()

    @property
    def _certificate(self) -> Path:
        return self.directories.home / "smtp-certificate.pem"

    @property
    def _credentials(self) -> Path:
        return self.directories.home / "google-service-account.json"


def send_receipts(environment: Mapping[str, str], topic: str) -> None:
    """Let the sandbox of this environment say later what became of its messages: to the topic of
    that name in the embedded SNS. Does nothing where one of the two is not embedded."""
    endpoint, url = (environment.get(name, "") for name in ("AWS_ENDPOINT_URL", SANDBOX_URL))
    if is_here(endpoint) and url:
        with SandboxClient(url) as sandbox:
            arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic}"
            sandbox.send_receipts(endpoint=endpoint, topic=arn)


def sandbox_environment(url: str) -> dict[str, str]:
    """What points every channel at the sandbox; botocore reads the first three by itself."""
    return {
        "AWS_ENDPOINT_URL_SESV2": url,
        "AWS_ENDPOINT_URL_PINPOINT_SMS_VOICE_V2": url,
        "AWS_ENDPOINT_URL_SOCIALMESSAGING": url,
        "FCM_ENDPOINT": url,
        "FCM_PROJECT_ID": FCM_PROJECT,
        "SMS_ORIGINATION_IDENTITY": "+15005550006",
        "PAYMENT_ENDPOINT": url,
        "WEBHOOK_PRIVATE_NETWORKS": f"{HOST}/32",
        "PAYMENT_API_KEY": PAYMENT_API_KEY,
        "WHATSAPP_PHONE_NUMBER_ID": "phone-number-id-00000000000000000000000000000001",
        SANDBOX_URL: url,
    }
