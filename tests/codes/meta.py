"""Meta's codes, and the two adapters that meet them."""

from __future__ import annotations

from tests.codes.aws import AWS
from tests.codes.base import Group, Meaning, Row, Table, rows

META = Group(
    "Meta, by either way to WhatsApp",
    (
        (
            "WhatsApp Business Platform, Error codes: developers.facebook.com/documentation/"
            "business-messaging/whatsapp/support/error-codes"
        ),
        "Graph API, Handle errors: developers.facebook.com/docs/graph-api/guides/error-handling",
    ),
    (
        *rows(
            Meaning.TRANSIENT,
            {
                "1": "an unknown error, or a possible fault of the server",
                "2": "the service is down or overloaded for now",
                "4": "the app made too many calls",
                "17": "too many calls of this user",
                "32": "too many calls for this page",
                "341": "a limit of the app is reached for now",
                "613": "more calls than the rate allows",
                "80007": "the business account reached its rate",
                "130429": "the number reached its throughput",
                "131000": "something went wrong",
                "131016": "a service is not available for now",
                "131056": "too many messages to this one person; of the account it says nothing",
                "132069": "the flow is throttled",
                "133004": "the server is not available for now",
            },
        ),
        *rows(
            Meaning.PERMANENT,
            {
                "100": "a parameter is not valid",
                "130472": "held back: this person is part of an experiment of Meta's",
                "130497": "the account may not write to people in this country",
                "131008": "a required parameter is missing",
                "131009": "a parameter's value is not valid",
                "131021": "sender and recipient are the same number",
                "131026": "cannot be delivered: no WhatsApp number, an old app, terms not accepted",
                "131030": "a test number, which writes to listed people only",
                "131047": "more than 24 hours since their last message: only a template",
                "131049": "held back: this person has had enough marketing",
                "131050": "this person stopped marketing messages",
                "131051": "a kind of message that is not supported",
                "131052": "the media cannot be fetched",
                "131053": "the media cannot be uploaded",
                "132000": "the template wants another number of parameters",
                "132001": "no such template in this language, or it is not approved",
                "132005": "the filled template is too long",
                "132007": "the template's content is against a policy",
                "132012": "a parameter is not of the template's form",
                "132015": "the template is paused for its quality",
                "132016": "the template is disabled for its quality",
                "132068": "the flow is blocked",
                "135000": "an error of the request's parameters that Meta has no words for",
            },
            elsewhere={"130497", "131030", "131051", "132001", "132015", "132016"},
        ),
        *rows(
            Meaning.PAUSE,
            {
                "0": "the app's user cannot be authenticated: the token, mostly",
                "3": "the app lacks a capability or a permission",
                "10": "permission is not granted or was taken away",
                "33": "the business phone number was deleted",
                "102": "the session has ended",
                "190": "the access token has expired",
                "200": "permission is not granted (200 to 299)",
                "299": "permission is not granted (200 to 299)",
                "368": "the account is blocked for now, for a violation of policy",
                "131005": "the app has no access",
                "131031": "the account is locked",
                "131037": "the number's display name is not approved",
                "131042": "something is wrong with payment",
                "131045": "the number is not registered with its certificate",
                "131048": "too many messages of this number were blocked or flagged",
                "131057": "the account is in maintenance",
                "133000": "an earlier deregistration was not finished",
                "133005": "the two-step PIN is wrong",
                "133006": "the number must be verified before it is registered",
                "133010": "the number is not registered",
            },
        ),
    ),
)

_OUTSIDE = (
    "`outside_window` is ours, before anybody is asked, with the option "
    '`outside_window="template"`: no template, and no message of theirs for 24 hours.'
)

SOCIAL = Table(
    "whatsapp",
    "WhatsApp: AWS End User Messaging Social (`EndUserMessagingWhatsApp`)",
    (
        (
            "End User Messaging Social, SendWhatsAppMessage, Errors: "
            "docs.aws.amazon.com/social-messaging/latest/APIReference"
        ),
    ),
    (
        *rows(
            Meaning.TRANSIENT,
            {
                "DependencyException": "Meta failed, and did not say how",
                "InternalServiceException": "an unknown failure of the service",
                "ThrottledRequestException": "faster than the account's rate",
            },
        ),
        *rows(
            Meaning.PERMANENT,
            {
                "InvalidParametersException": "a parameter is not valid",
                "ValidationException": "a parameter is not valid",
            },
        ),
        *rows(
            Meaning.PAUSE,
            {
                "AccessDeniedException": "the credentials may not send",
                "AccessDeniedByMetaException": "Meta gives the account no access",
                "ResourceNotFoundException": "no such number to send from",
            },
        ),
    ),
    shared=(META, AWS),
    note="Meta's code decides where AWS passes it on, whatever AWS made of it. " + _OUTSIDE,
)

CLOUD_API = Table(
    "whatsapp-cloud",
    "WhatsApp: Meta's Cloud API (`CloudApiWhatsApp`)",
    META.sources,
    (
        Row("999999", Meaning.PERMANENT, "a code that nobody has heard of, with HTTP 400"),
        Row("http_401", Meaning.PAUSE, "no code of Meta's: the status decides"),
        Row("http_429", Meaning.TRANSIENT, "no code of Meta's: the status decides"),
        Row("http_502", Meaning.TRANSIENT, "no code of Meta's: the status decides"),
        Row("http_504", Meaning.UNKNOWN, "a server in between stopped waiting for Meta"),
    ),
    shared=(META,),
    note="`error.code` decides, never the HTTP status beside it. " + _OUTSIDE,
)
