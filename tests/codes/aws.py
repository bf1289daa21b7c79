"""What any AWS service may say."""

from __future__ import annotations

from tests.codes.base import Group, Meaning, Row, rows

AWS = Group(
    "Any AWS service",
    (
        "AWS, Common Errors: docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html",
        "botocore 1.44, retries/standard.py (transient and throttling codes)",
    ),
    (
        *rows(
            Meaning.TRANSIENT,
            {
                "InternalFailure": "unknown error, exception or failure",
                "RequestAbortedException": "aborted before a reply was sent back",
                "RequestExpired": "it came more than 15 minutes after its date stamp",
                "RequestLimitExceeded": "too many requests",
                "RequestThrottled": "too many requests",
                "RequestThrottledException": "too many requests",
                "RequestTimeout": "the request was not complete in time",
                "RequestTimeoutException": "the request was not complete in time",
                "ServiceUnavailable": "a temporary failure of the server",
                "ServiceUnavailableException": "a temporary failure of the server",
                "SlowDown": "too many requests",
                "Throttling": "too many requests",
            },
        ),
        *rows(
            Meaning.PAUSE,
            {
                "AccessDenied": "the credentials may not do this",
                "ExpiredToken": "the security token has expired",
                "ExpiredTokenException": "the security token has expired",
                "IncompleteSignature": "the signature is not of AWS's form",
                "InvalidAction": "not known here: another service, or a wrong address",
                "InvalidClientTokenId": "no such access key",
                "InvalidSignatureException": "the signature does not match",
                "MissingAuthenticationToken": "no credentials in the request",
                "MissingAuthenticationTokenException": "no credentials in the request",
                "NotAuthorized": "no permission for this action",
                "OptInRequired": "the account is not signed up for the service",
                "SignatureDoesNotMatch": "the signature does not match",
                "UnknownOperationException": "the action is not known here",
                "UnrecognizedClientException": "no such access key or token",
            },
        ),
        *rows(
            Meaning.PERMANENT,
            {
                "MalformedHttpRequestException": "a body that cannot be read",
                "RequestEntityTooLargeException": "the request is too large",
            },
        ),
        Row("http_504", Meaning.UNKNOWN, "a server in between stopped waiting for the service"),
    ),
)
