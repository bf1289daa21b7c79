"""botocore's errors, in words for operators."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as NotReached
from botocore.parsers import ResponseParserError

AWS_ERRORS = (ClientError, BotoCoreError, ResponseParserError)
"""Everything a call may raise: refused by AWS, not reached, or an answer that is none."""

NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound, NoRegionError)
"""Nobody said who we are, or where."""

_ABOUT_THE_CONTENT = frozenset(
    {
        "InvalidParameter",
        "InvalidParameterValue",
        "ParameterValueInvalid",
        "InvalidMessageContents",
        "InvalidAttributeValue",
        "ValidationError",
        "BatchRequestTooLong",
        "AWS.SimpleQueueService.BatchRequestTooLong",
    }
)
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)

_WRONG_TIME = ("signature expired", "signature not yet current", "requestexpired", "tooskewed")
"""Of what AWS says of a request that was signed minutes ago, or ahead, by its clock."""


def code(error: Exception) -> str:
    """AWS's own code, or the error's class."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "ClientError"))
    return type(error).__name__


def describe(error: Exception) -> str:
    """One line: code and message."""
    message = str(error)
    if isinstance(error, ClientError):
        message = str(error.response.get("Error", {}).get("Message", ""))
    return f"{code(error)}: {message}".replace("\n", " ")


def explain(error: Exception) -> str:
    """One line for a person: what is wrong, and what to do about it."""
    match error:
        case NoCredentialsError() | PartialCredentialsError() | ProfileNotFound():
            return (
                f"No AWS credentials ({error}). Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or run where a role is given."
            )
        case NoRegionError():
            return "No AWS region. Set AWS_DEFAULT_REGION."
        case NotReached() | HTTPClientError():
            return f"{error} Check the network and AWS_ENDPOINT_URL, and that it is running."
        case ClientError() if any(words in describe(error).lower() for words in _WRONG_TIME):
            return f"The clock of this machine is wrong, says AWS ({describe(error)}). Set it."
        case ClientError() if code(error) in _BAD_CREDENTIALS:
            return f"AWS does not accept these credentials ({describe(error)}). Renew them."
        case ClientError() if code(error) in _DENIED:
            return (
                f"AWS denies {error.operation_name} ({describe(error)}). "
                "Give this identity that right."
            )
        case ClientError() if "DeletedRecently" in code(error):
            return f"{describe(error)} Wait for a minute and run this again."
        case ClientError():
            return f"AWS refuses {error.operation_name} ({describe(error)})."
        case _:
            return describe(error)


def is_about_the_content(error: Exception) -> bool:
    """Whether one entry of a batch may be what the whole call was refused for."""
    return code(error) in _ABOUT_THE_CONTENT
