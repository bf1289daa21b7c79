"""Access tokens for Google's APIs: google-auth's credentials, fetched over httpx."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import google.auth
import httpx
from google.auth import credentials as google_credentials
from google.auth import exceptions as google_errors
from google.auth import transport

from notifications.exceptions import NotificationError, ProviderPaused, TransientError

_STALE = google_credentials.TokenState.STALE
_INVALID = google_credentials.TokenState.INVALID

_UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What google-auth raises at a body that is no JSON object: it does not look before it reads."""


class AccessTokens:
    """The current token of the default credentials (GOOGLE_APPLICATION_CREDENTIALS and so on).

    It is renewed by one thread, some minutes before it ends; meanwhile the others go on
    with the old one. Only when there is none that holds do they wait.
    """

    def __init__(self, http: httpx.Client, scopes: tuple[str, ...]) -> None:
        self._request = _HttpxRequest(http)
        self._scopes = scopes
        self._lock = threading.Lock()
        self._credentials: Any = None
        self._project_id = ""

    def current(self) -> str:
        """A token that holds now. Raises TransientError or ProviderPaused."""
        credentials = self._loaded()
        if credentials.token_state is _STALE:
            self._renew_if_nobody_does(credentials)
        elif credentials.token_state is _INVALID:
            with self._lock:
                if credentials.token_state is _INVALID:
                    self._renew(credentials)
        return str(credentials.token)

    @property
    def project_id(self) -> str:
        """The project that the credentials belong to, or ""."""
        self._loaded()
        return self._project_id

    def forget(self, token: str) -> None:
        """Google refused this one although its time is not over: fetch another next time."""
        credentials = self._loaded()
        with self._lock:
            if credentials.token == token:
                credentials.token = None

    def _loaded(self) -> Any:
        if self._credentials is None:
            with self._lock:
                if self._credentials is None:
                    self._load()
        return self._credentials

    def _load(self) -> None:
        try:
            found, project_id = google.auth.default(scopes=self._scopes)
        except google_errors.GoogleAuthError:
            raise ProviderPaused("No Google credentials were found.", "no_credentials") from None
        self._project_id = project_id or ""
        self._credentials = found

    def _renew_if_nobody_does(self, credentials: Any) -> None:
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._renew(credentials)
        except NotificationError:
            pass  # the old one holds for some minutes yet; the next send tries again
        finally:
            self._lock.release()

    def _renew(self, credentials: Any) -> None:
        try:
            credentials.refresh(self._request)
        except google_errors.TransportError:
            raise TransientError(
                "Google's token endpoint cannot be reached.", "token_unavailable"
            ) from None
        except google_errors.GoogleAuthError:
            raise ProviderPaused("Google refused the credentials.", "token_refused") from None
        except _UNREADABLE:
            raise ProviderPaused(
                "The answer of Google's token endpoint cannot be read.", "token_unreadable"
            ) from None


class _HttpxRequest(transport.Request):
    """google-auth's transport over our httpx client, so that its timeouts hold here too."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _Response:
        try:
            answer = self._http.request(method, url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise _unreachable(type(error).__name__) from None
        if answer.status_code in (408, 429) or answer.status_code >= 500:
            # Returned, google-auth would sleep and try again, in the middle of a worker's thread.
            raise _unreachable(f"HTTP {answer.status_code}")
        return _Response(answer)


def _unreachable(why: str) -> google_errors.TransportError:
    return google_errors.TransportError(why)  # type: ignore[no-untyped-call]


class _Response(transport.Response):
    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    @property
    def status(self) -> int:
        return self._answer.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    @property
    def data(self) -> bytes:
        return self._answer.content
