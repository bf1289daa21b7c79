"""botocore's parsers, for answers that are none of AWS's: something in between gave them, or a
service in trouble.

By themselves they raise whatever comes (AttributeError at a body of `null`), and the HTTP status,
which says what became of the call, is lost with it; or they take a page for an answer in which
nothing stands: an empty queue, say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.parsers import ResponseParser, ResponseParserError, ResponseParserFactory

_JSON = frozenset({"json", "rest-json"})


class UnreadableAnswer(ResponseParserError):
    """A success by its status, with a body that nobody can read."""


class StatusFirst(ResponseParserFactory):
    """Gives out botocore's parsers. Of a refusal that they cannot read, the status is the code."""

    def create_parser(self, protocol_name: str) -> Any:
        return _Parser(super().create_parser(protocol_name), json=protocol_name in _JSON)


class _Parser:
    """All of a ResponseParser that an endpoint uses."""

    def __init__(self, parser: ResponseParser, *, json: bool) -> None:
        self._parser, self._json = parser, json

    def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        status = response["status_code"]
        refused, second_look = status >= 300, _is_second_look(shape)
        if self._json and not refused and response["body"].lstrip()[:1] not in (b"{", b""):
            raise UnreadableAnswer(f"HTTP {status}, and a body that is no JSON object")
        try:
            parsed: dict[str, Any] = self._parser.parse(response, shape)
            is_read = not refused or second_look or _has_code(parsed)
        except Exception as error:
            if not refused:
                raise UnreadableAnswer(f"HTTP {status}, and a body that is no answer") from error
            parsed, is_read = {}, second_look
        return parsed if is_read else _by_status(response)


def _is_second_look(shape: Any) -> bool:
    """For the fields of an error whose code was found at the first."""
    return bool(shape is not None and shape.metadata.get("exception"))


def _has_code(parsed: Mapping[str, Any]) -> bool:
    """One that an endpoint can look up."""
    return isinstance((parsed.get("Error") or {}).get("Code"), str | int)


def _by_status(response: Mapping[str, Any]) -> dict[str, Any]:
    status = response["status_code"]
    headers = {name.lower(): value for name, value in response["headers"].items()}
    return {
        "Error": {"Code": str(status), "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
