"""Where we are in AWS, and the ARNs that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from notifications.aws.clients import client


@dataclass(frozen=True)
class Arns:
    """ARNs are names: none is looked up, so nothing but the account has to be asked for."""

    partition: str
    region: str
    account: str

    def topic(self, physical: str) -> str:
        return self.of("sns", physical)

    def queue(self, physical: str) -> str:
        return self.of("sqs", physical)

    def of(self, service: str, resource: str) -> str:
        """Of our account and region: "identity/*" of "ses"."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


@cache
def arns() -> Arns:
    """The account of our credentials (STS, which needs no permission), asked once per process."""
    sts = client("sts")
    return Arns(sts.meta.partition, sts.meta.region_name, sts.get_caller_identity()["Account"])
