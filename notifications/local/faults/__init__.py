"""The fault proxy: stands in front of an SNS/SQS emulator and makes what that cannot.

Latency, errors, throttling, failed entries of batches, requests never answered,
connections hung up, each scripted, seeded and counted. Started as
`python -m notifications.local.faults`, or as the part `FaultProxy`.
"""

from notifications.local.faults.part import FaultClient, FaultProxy

__all__ = ["FaultClient", "FaultProxy"]
