"""Firebase Cloud Messaging, HTTP v1, and the tokens it wants."""

from __future__ import annotations

from tests.codes.base import Meaning, Row, Table, rows

FCM = Table(
    "push",
    "Push: Firebase Cloud Messaging, HTTP v1 (`FcmPush`)",
    (
        "FCM, ErrorCode: firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode",
        "google.rpc.Code: cloud.google.com/apis/design/errors",
        "OAuth 2.0, RFC 6749, 5.2 (the token endpoint)",
    ),
    (
        *rows(
            Meaning.TRANSIENT,
            {
                "ABORTED": "given up for a conflict; to be tried again",
                "INTERNAL": "an unknown error inside FCM",
                "QUOTA_EXCEEDED": "more messages than the project, the device or topic may have",
                "RESOURCE_EXHAUSTED": "the same, where FCM says no more",
                "UNAVAILABLE": "overloaded",
                "UNKNOWN": "an unknown error",
                "http_502": "no code of FCM's: the status decides",
            },
        ),
        *rows(
            Meaning.PERMANENT,
            {
                "INVALID_ARGUMENT": "a parameter is not valid: the size, a key of data",
                "NOT_FOUND": "no such project or device",
                "SENDER_ID_MISMATCH": "the token belongs to another project",
                "UNREGISTERED": "the app was removed or the token is no longer valid",
                "UNSPECIFIED_ERROR": "no more is known, with HTTP 400",
            },
        ),
        *rows(
            Meaning.PAUSE,
            {
                "PERMISSION_DENIED": "the service account may not send for this project",
                "THIRD_PARTY_AUTH_ERROR": "Apple's or the browser's key is missing or invalid",
                "UNAUTHENTICATED": "the access token is not valid",
            },
        ),
        Row(
            "INVALID_TOKEN",
            Meaning.PERMANENT,
            "INVALID_ARGUMENT too, by its text: this is no token",
            arguments={
                "code": "INVALID_ARGUMENT",
                "message": "The registration token is not a valid FCM registration token",
            },
        ),
        Row("DEADLINE_EXCEEDED", Meaning.UNKNOWN, "late: it may have been done all the same"),
        Row("http_504", Meaning.UNKNOWN, "a server in between stopped waiting for FCM"),
    ),
    note="While an access token is fetched: `token_unavailable` is tried again, `token_refused`, "
    "`no_credentials` and `no_project_id` stop the account. `UNREGISTERED`, "
    "`SENDER_ID_MISMATCH` and `INVALID_TOKEN` say that the token is dead: the shop is told, "
    "and forgets it.",
)
