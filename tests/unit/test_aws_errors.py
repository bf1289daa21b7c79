"""What AWS refuses, in words for who is to mend it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from notifications.aws.errors import explain


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ReceiveMessage")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20261127T150000Z is now earlier than 20261127T151500Z",
        ),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20261127T153000Z is still later than 20261127T151500Z",
        ),
        ("RequestExpired", "Request has expired."),
    ],
)
def test_a_clock_that_is_wrong_is_no_fault_of_the_credentials(code: str, message: str) -> None:
    said = explain(refused(code, message))
    assert said.startswith("The clock of this machine is wrong")
    assert said.endswith("Set it.")


def test_a_secret_that_is_wrong_is() -> None:
    said = explain(refused("SignatureDoesNotMatch", "Check your AWS Secret Access Key."))
    assert said.endswith("Renew them.")
