"""What keeps a payment from being settled. `code` is short, stable and safe to show."""

from __future__ import annotations


class PaymentError(Exception):
    """The root. A decline is none: it is an answer, and settles the payment."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class PaymentRefused(PaymentError):
    """Asking again cannot help until somebody has mended something: an account, an order."""


class OtherAmount(PaymentRefused):
    """What stands at the provider under our key is not what we ask for: somebody with the same
    account used the key before, another database of the shop. A person must look."""

    def __init__(self, key: str) -> None:
        super().__init__("other_amount", f"under {key} the provider has another amount.")
        self.args = (key,)


class ProviderAway(PaymentError):
    """Not now, and nothing was done: ask again in `retry_after` seconds, or when you like."""

    def __init__(self, code: str, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(code, message)
        self.args = (code, message, retry_after)
        self.retry_after = retry_after


class Unanswered(ProviderAway):
    """The request may have been carried out: look it up by its key before anything is repeated."""


class AccountRefused(ProviderAway):
    """The provider refuses the account as a whole: a wrong key, a suspension."""


class Held(PaymentError):
    """Somebody else is asking the provider about this order, for `seconds` at most."""

    def __init__(self, seconds: float) -> None:
        super().__init__("held")
        self.args = (seconds,)
        self.seconds = seconds
