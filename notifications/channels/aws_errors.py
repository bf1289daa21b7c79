"""botocore's exceptions in our words, for every adapter that sends through boto3.

What decides between TransientError and OutcomeUnknown is one question: could the
request have been written? Whoever cannot rule it out says unknown.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOError,
)

from notifications.aws.parsers import UnreadableAnswer
from notifications.channels.answers import Codes, retry_after
from notifications.exceptions import (
    NotificationError,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.redaction import redact

_NOT_CONNECTED = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)

_NOTHING_CAN_BE_SENT = (
    CredentialRetrievalError,
    MetadataRetrievalError,
    NoRegionError,
    ProfileNotFound,
    SSOError,
)
"""What is wrong with us for every message alike, until somebody or the metadata service mends it:
as a failure of each message it would give all of them up within minutes."""

PAUSED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAction",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnknownOperationException",
        "UnrecognizedClientException",
    }
)
"""What any AWS service says when the account or its credentials are refused, or when we ask at the
wrong place: every message would fare alike (Common Errors)."""

TRANSIENT = frozenset(
    {
        "InternalFailure",
        "RequestAbortedException",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""What any AWS service says when it is worth trying again (Common Errors; botocore's own list)."""

UNKNOWN = frozenset({"http_504"})
"""A server in between stopped waiting for the service, which may have done it all the same."""

Refine = Callable[[str, Mapping[str, Any]], str]
"""(the service's code, its whole answer) → the code that counts."""


@contextmanager
def translated(
    codes: Codes,
    *,
    address: str,
    refine: Refine = lambda code, answer: code,
) -> Iterator[None]:
    """Around one call of a boto3 client: its exceptions become ours. A success that cannot be read
    is one: the block ends there, and nothing is raised.

    `refine(code, answer)` gives the code that counts, where the service's own says too
    little. Nothing is chained: the originals quote addresses, and tracebacks are kept.
    """
    try:
        yield
    except ClientError as error:
        raise _refused(error, codes, address, refine) from None
    except _NOT_CONNECTED:
        raise _not_connected() from None
    except SSLError as error:
        raise (_not_connected() if _certificate_refused(error) else _lost()) from None
    except ReadTimeoutError:
        raise OutcomeUnknown("The provider did not answer in time.", "read_timeout") from None
    except UnreadableAnswer:
        pass  # the status says that the service took it
    except (HTTPClientError, IncompleteReadError):
        raise _lost() from None
    except BotoCoreError as error:
        raise _not_asked(error) from None


def name_given(answer: Mapping[str, Any], key: str) -> str:
    """The service's own name for what it took, or nothing: taken, whatever the body is like."""
    name = answer.get(key)
    return name if isinstance(name, str) else ""


def said(answer: Mapping[str, Any]) -> str:
    """The text of a service's refusal."""
    return str((answer.get("Error") or {}).get("Message") or "")


def _refused(error: ClientError, codes: Codes, address: str, refine: Refine) -> NotificationError:
    answer: dict[str, Any] = dict(error.response)
    metadata = answer.get("ResponseMetadata") or {}
    status = int(metadata.get("HTTPStatusCode") or 0)
    code = str((answer.get("Error") or {}).get("Code") or status)
    if code == str(status):  # nothing but the status: something before the service answered
        code = f"http_{status}"
    code = refine(code, answer)
    reason = str(answer.get("Reason") or "")
    shown = ": ".join(part for part in (reason, said(answer)) if part)
    wait = retry_after((metadata.get("HTTPHeaders") or {}).get("retry-after"))
    return codes.error(code, status, redact(shown, address=address), wait, reason)


def _not_connected() -> NotificationError:
    return TransientError("The provider cannot be reached.", "not_connected")


def _lost() -> NotificationError:
    return OutcomeUnknown("The connection ended before the answer came.", "connection_lost")


def _not_asked(error: BotoCoreError) -> NotificationError:
    """Raised on our side, before there was a request."""
    if isinstance(error, ParamValidationError):
        return PermanentError("The request does not fit the provider's form.", "invalid_request")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return ProviderPaused("No AWS credentials were found.", "no_credentials")
    if isinstance(error, _NOTHING_CAN_BE_SENT):
        return ProviderPaused("AWS credentials or region are missing.", type(error).__name__)
    return TransientError("The request could not be made.", type(error).__name__)


def _certificate_refused(error: SSLError) -> bool:
    """botocore has one SSLError for a handshake that failed and for a stream that broke later."""
    cause: Any = error.kwargs.get("error")
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = next((arg for arg in cause.args if isinstance(arg, Exception)), None)
    return False
