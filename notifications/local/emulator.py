"""What the embedded SNS and SQS have in common, whichever program they are."""

from __future__ import annotations

from notifications.local.parts import Part, PartFailed, http_status
from notifications.local.ports import HOST

REGION = "us-east-1"
ACCOUNT = "000000000000"


class Emulator(Part):
    """SNS and SQS on this machine."""

    title = "SNS and SQS"
    port_variable = "LOCAL_AWS_PORT"
    reset_path: str
    """A POST to it empties the emulator."""

    @property
    def environment(self) -> dict[str, str]:
        return emulator_environment(self.port)

    def reset(self) -> None:
        """Forget every topic, queue and message."""
        if http_status(self.port, self.reset_path, method="POST", timeout=10) != 200:
            log = self.directories.log(self.name)
            raise PartFailed(f"{self.name} did not empty itself; see {log}")


def emulator_environment(port: int) -> dict[str, str]:
    """How boto3 reaches an emulator on this machine; the credentials are no secret."""
    return {
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        # An open poll cannot be called back, so a worker stops within one poll; polls cost
        # nothing here.
        "SQS_WAIT_SECONDS": "1",
    }
