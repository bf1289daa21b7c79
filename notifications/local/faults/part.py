"""The fault proxy as an embedded part, and the client by which a test scripts it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from notifications.local.directories import Directories
from notifications.local.faults.control import CONTROL_PATH
from notifications.local.faults.script import Fault, Kind, When
from notifications.local.parts import Part, http_status
from notifications.local.ports import HOST
from notifications.local.processes import Processes


class FaultClient:
    """Scripts a running proxy.

    client.fault("partial", actions=["DeleteMessageBatch"], times=3)
    client.fault("hang_up", when="after", actions=["PublishBatch"], probability=0.1)
    """

    def __init__(self, url: str) -> None:
        self._url = url + CONTROL_PATH

    def fault(
        self,
        kind: Kind,
        *,
        when: When = "before",
        actions: Iterable[str] = (),
        containing: str = "",
        probability: float = 1.0,
        times: int | None = None,
        status: int = 503,
        code: str = "ServiceUnavailable",
        seconds: float = 0.0,
    ) -> None:
        """Let this go wrong from now on; `Fault` says what each argument means."""
        fault = Fault(
            kind,
            when=when,
            actions=tuple(actions),
            containing=containing,
            probability=probability,
            times=times,
            status=status,
            code=code,
            seconds=seconds,
        )
        self._post("add", fault.as_json())

    def clear(self) -> None:
        """Let nothing go wrong any more. Hanging requests stay hanging."""
        self._post("clear")

    def reset(self, *, seed: int = 0) -> None:
        """As new, with these dice: no faults, nothing counted. The latency stays."""
        self._post("reset", {"seed": seed})

    def latency(self, seconds: float) -> None:
        """The round trip added to every request, half of it each way."""
        self._post("latency", {"seconds": seconds})

    def requests(self) -> dict[str, int]:
        """Requests seen since the last reset, by AWS action ("ReceiveMessage")."""
        return dict(self._state()["requests"])

    def struck(self) -> dict[str, int]:
        """How often each kind of fault has struck since the last reset."""
        return dict(self._state()["struck"])

    def _state(self) -> dict[str, Any]:
        return self._checked(httpx.get(self._url))

    def _post(self, verb: str, body: Mapping[str, Any] | None = None) -> None:
        self._checked(httpx.post(f"{self._url}/{verb}", json=body or {}))

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        body: dict[str, Any] = answer.json()
        if answer.is_error:
            raise ValueError(f"fault proxy: {body['error']}")
        return body


class FaultProxy(Part):
    """Our HTTP proxy in front of an emulator (`target`, its URL).

    `environment` names the proxy as the AWS endpoint: what gets it, goes through it.
    """

    name = "faults"
    port_variable = "LOCAL_FAULTS_PORT"
    instead = "To go without it use the emulator's own address as AWS_ENDPOINT_URL."

    def __init__(
        self,
        directories: Directories,
        processes: Processes,
        *,
        target: str,
        latency: float = 0.0,
        port: int = 0,
    ) -> None:
        super().__init__(directories, processes, port=port)
        self.target = target
        self.latency = latency

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def client(self) -> FaultClient:
        return FaultClient(self.url)

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": self.url}

    def command(self) -> Sequence[str | Path]:
        module = [sys.executable, "-m", "notifications.local.faults"]
        arguments = {"target": self.target, "port": self.port, "latency": self.latency}
        return module + [f"--{name}={value}" for name, value in arguments.items()]

    def answers(self) -> bool:
        return http_status(self.port, CONTROL_PATH) == 200
