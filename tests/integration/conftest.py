"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from notifications import consumers
from notifications.local.providers.client import SandboxClient
from notifications.local.stack import Stack
from orders_site.payments.httpx_provider import HttpxProvider
from tests.integration import letters
from tests.integration.letters import Town
from tests.partners import Open, Partner


@pytest.fixture
def town(settings: Any, tmp_path: Path) -> Iterator[Town]:
    """A town where letters are delivered, by hooks, templates and an adapter of the test's own."""
    settings.NOTIFICATIONS = letters.settings_of_the_town()
    settings.TEMPLATES = letters.write_templates(tmp_path)
    yield letters.start_anew()
    letters.start_anew()


@pytest.fixture(params=["sms", "texts"])
def serving_sms(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the consumer that does: the channel's, or one of its own."""
    served = consumers.get("sms")
    consumers.unregister("sms")
    consumers.register(replace(served, name=request.param))
    yield request.param
    consumers.unregister(request.param)
    consumers.register(served)


@pytest.fixture
def trusted(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail servers are trusted by the certificate of the sandbox's SMTP port."""
    monkeypatch.setenv("SSL_CERT_FILE", stack.environment["PROVIDER_SANDBOX_CERTIFICATE"])


@pytest.fixture
def provider(sandbox: SandboxClient) -> Iterator[HttpxProvider]:
    """The sandbox's payment provider, over its real HTTP API; it is waited for 2 seconds."""
    provider = HttpxProvider(sandbox.url, "a key", read_timeout=2.0)
    yield provider
    provider.close()


@pytest.fixture
def partner() -> Iterator[Open]:
    """`partner(says("204 No Content"))`: a server of one, that answers so, until the test ends."""
    with ExitStack() as stack:
        yield lambda answer, **options: stack.enter_context(Partner(answer, **options))
