"""A service-account file as Google hands them out, but for this sandbox."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def write_service_account(file: Path, *, token_uri: str, project_id: str) -> None:
    """Write it with a fresh key, readable by its owner only; an older file is replaced whole."""
    account = {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": "sandbox",
        "private_key": _private_key(),
        "client_email": f"sandbox@{project_id}.iam.gserviceaccount.com",
        "client_id": "0",
        "token_uri": token_uri,
    }
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(account, stream)
    draft.replace(file)


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
