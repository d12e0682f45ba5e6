"""Mail leaves by one Gmail account only; without its three values every send fails."""

import json
import logging
import os
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from notifications.models import GlobalEmailSettings

log = logging.getLogger(__name__)


class GmailBackend(EmailBackend):
    """Hands messages to the relay named by GMAIL_RELAY (host:port)."""

    def __init__(self, **options):
        host, _, port = settings.GMAIL_RELAY.rpartition(":")
        super().__init__(**{**options, "host": host or None, "port": int(port or 0) or None, "use_tls": False})

    def send_messages(self, messages):
        for message in messages:
            message.extra_headers.setdefault("X-Heroku-App", os.environ.get("HEROKU_APP_NAME", ""))
        return super().send_messages(messages)

    def open(self):
        if not configured():
            raise ConnectionError("Gmail is not configured")
        authorize()
        return super().open()


def configured():
    """Tell whether the Gmail values and a way out are there."""
    values = (settings.GMAIL_CLIENT_ID, settings.GMAIL_CLIENT_SECRET, settings.GMAIL_REFRESH_TOKEN)
    return all(values) and bool(settings.GMAIL_RELAY)


def authorize():
    """Ask for the short-lived token that every send needs. Raises ConnectionError when the account is refused."""
    if not settings.GMAIL_TOKEN_URL:
        return
    fields = {
        "client_id": settings.GMAIL_CLIENT_ID,
        "client_secret": settings.GMAIL_CLIENT_SECRET,
        "refresh_token": settings.GMAIL_REFRESH_TOKEN,
        "grant_type": "refresh_token",
    }
    try:
        with urlopen(settings.GMAIL_TOKEN_URL, urlencode(fields).encode(), timeout=settings.EMAIL_TIMEOUT) as answer:  # noqa: S310 - the scheme is the configured one
            json.load(answer)["access_token"]
    except HTTPError as error:
        raise ConnectionError(f"Gmail refused the account: HTTP {error.code}") from error


def send(address, subject, text):
    """Send one message whatever the master switch says; failure is logged and the caller goes on."""
    message = EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [address])
    try:
        return message.send() == 1
    except OSError as error:
        log.error("mail was not sent: %s", error)  # noqa: TRY400 - one line is enough in the log stream
        return False


def enabled():
    """Read the master switch."""
    switch = GlobalEmailSettings.objects.order_by("id").first()
    return switch is None or switch.emails_enabled
