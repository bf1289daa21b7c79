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
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{physical}"

    def queue(self, physical: str) -> str:
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{physical}"


@cache
def arns() -> Arns:
    """The account of our credentials (STS, which needs no permission), asked once per process."""
    sts = client("sts")
    return Arns(sts.meta.partition, sts.meta.region_name, sts.get_caller_identity()["Account"])
