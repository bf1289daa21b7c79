"""The provider sandbox: email, SMS, WhatsApp, push and webhook providers on this machine.

    python -m notifications.local.providers --port 8025 --smtp-port 1025

It speaks the wire protocols of SES v2, AWS End User Messaging (SMS and Social), FCM
HTTP v1, signed webhooks and SMTP, so the unmodified SDKs talk to it; it accepts or
fails as `client.SandboxClient` scripts it, and shows what it accepted at `/`.
"""
