"""The relay that counts mail by app and keeps none."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage

from uscdr.sandbox.data.mail import MailSink


def _send(address: str, app: str | None, *, body: str = "hello") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@a.example", "b@b.example", "s"
    if app is not None:
        message["X-Heroku-App"] = app
    message.set_content(body)
    host, _, port = address.partition(":")
    with smtplib.SMTP(host, int(port), timeout=5) as relay:
        relay.send_message(message)


def test_each_app_has_its_count() -> None:
    async def scenario() -> dict[str, int]:
        sink = MailSink()
        await sink.start()
        for app in ("one", "two", "one", None):
            await asyncio.to_thread(_send, sink.address, app)
        await asyncio.to_thread(_send, sink.address, "two", body="X-Heroku-App: three\n\nX-Heroku-App: four")
        await sink.stop()
        return dict(sink.counts)

    assert asyncio.run(scenario()) == {"one": 2, "two": 2, "?": 1}
