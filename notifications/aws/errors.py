"""botocore's errors, in words for operators."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

AWS_ERRORS = (ClientError, BotoCoreError, ResponseParserError)
"""Everything a call may raise: refused by AWS, not reached, or an answer that is none."""

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


def is_about_the_content(error: Exception) -> bool:
    """Whether one entry of a batch may be what the whole call was refused for."""
    return code(error) in _ABOUT_THE_CONTENT
