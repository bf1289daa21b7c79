"""The proxy's own endpoint, on the same port: script faults, read counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from notifications.local.faults.http import Message, Request, response
from notifications.local.faults.script import Fault

if TYPE_CHECKING:
    from notifications.local.faults.proxy import Proxy

CONTROL_PATH = "/_faults"


class Control:
    """GET /_faults · POST /_faults/add (a Fault), /clear, /reset {seed}, /latency {seconds}."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def answer(self, request: Request) -> Message:
        """Do what is asked and give the state, or say what is wrong with it."""
        verb = request.path.removeprefix(CONTROL_PATH).strip("/")
        try:
            self._do(verb, json.loads(request.body or b"{}"))
        except (KeyError, TypeError, ValueError) as error:
            return _json(400, {"error": f"{verb or 'state'}: {error}"})
        return _json(200, self._state())

    def _do(self, verb: str, body: dict[str, Any]) -> None:
        match verb:
            case "":
                pass
            case "add":
                self._proxy.script.add(Fault.from_json(body))
            case "clear":
                self._proxy.script.clear()
            case "reset":
                self._proxy.script.reset(int(body.get("seed", 0)))
                self._proxy.requests.clear()
            case "latency":
                self._proxy.latency = float(body["seconds"])
            case _:
                raise ValueError("no such verb; there are add, clear, reset and latency")

    def _state(self) -> dict[str, Any]:
        return {
            "latency": self._proxy.latency,
            "requests": self._proxy.requests,
            "struck": self._proxy.script.struck,
            "faults": [fault.as_json() for fault in self._proxy.script.faults],
        }


def _json(status: int, body: dict[str, Any]) -> Message:
    return response(status, json.dumps(body).encode(), content_type="application/json")
