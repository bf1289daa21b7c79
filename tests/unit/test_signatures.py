"""Whether a call is signed by who may, as the providers' own documents sign theirs."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from notifications.signatures import signed_by_meta, signed_by_twilio

# The example of Twilio's documentation and of its libraries' tests.
TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FORM = {
    "CallSid": ["CA1234567890ABCDE"],
    "Digits": ["1234"],
    "From": ["+14158675309"],
    "To": ["+18005551212"],
    "Caller": ["+14158675309"],
}
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_twilios_own_example_is_theirs() -> None:
    signed = signed_by_twilio(URL, FORM, SIGNATURE, [TOKEN])
    assert signed is not None
    assert signed.startswith(URL.encode() + b"CallSid")


@pytest.mark.parametrize(
    ("url", "form", "signature", "token"),
    [
        (URL + "0", FORM, SIGNATURE, TOKEN),
        (URL, FORM | {"Digits": ["1235"]}, SIGNATURE, TOKEN),
        (URL, FORM | {"Extra": [""]}, SIGNATURE, TOKEN),
        (URL, FORM, SIGNATURE[:-2] + "A=", TOKEN),
        (URL, FORM, "", TOKEN),
        (URL, FORM, "é", TOKEN),
        (URL, FORM, SIGNATURE, "12346"),
    ],
)
def test_whatever_is_changed_it_is_not(
    url: str, form: dict[str, list[str]], signature: str, token: str
) -> None:
    assert signed_by_twilio(url, form, signature, [token]) is None


def test_nobody_signs_without_a_secret() -> None:
    assert signed_by_twilio(URL, FORM, SIGNATURE, []) is None
    assert signed_by_meta(b"{}", "", []) is None


@pytest.mark.parametrize("called", ["https://shop.example", "https://shop.example:443"])
@pytest.mark.parametrize("signed", ["https://shop.example", "https://shop.example:443"])
def test_the_port_may_be_said_or_not(called: str, signed: str) -> None:
    digest = hmac.new(TOKEN.encode(), f"{signed}/x?a=1".encode(), hashlib.sha1).digest()
    header = base64.b64encode(digest).decode()
    assert signed_by_twilio(f"{called}/x?a=1", {}, header, [TOKEN]) is not None


def test_any_of_several_secrets_will_do_while_one_is_replaced() -> None:
    body = b'{"entry":[]}'
    header = "sha256=" + hmac.new(b"new", body, hashlib.sha256).hexdigest()
    assert signed_by_meta(body, header, ["old", "new"]) == body
    assert signed_by_meta(body, header, ["new", "newer"]) == body
    assert signed_by_meta(body, header, ["old"]) is None
    assert signed_by_meta(body + b" ", header, ["new"]) is None
    assert signed_by_meta(body, header.removeprefix("sha256="), ["new"]) is None
    assert signed_by_twilio(URL, FORM, SIGNATURE, ["old", TOKEN]) is not None
