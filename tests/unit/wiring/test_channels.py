"""Channels as scenarios.yaml names them: what a file may say, and what is built from it and the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from scripted_mail import Script, serving
from uscdr.errors import CredentialsRefused, WriteRefused
from uscdr.models.base import Destination
from uscdr.models.incidents import OUTBOX
from uscdr.providers.notices.smtp import SmtpChannel
from uscdr.providers.ports.notices import Channel, Letter
from uscdr.redaction import Redactor
from uscdr.scenarios.config_channels import ChannelSettings
from uscdr.wiring.notices import UnusableChannel, channels

LETTER = Letter("inc1-1", "USC-PIS is down", "We are working on it.")
MAIL = {"kind": "smtp", "audience": ["team", "users"], "server": "mail.usc.example:587", "sender": "a@USC.example"}
CHAT = {"kind": "webhook", "audience": "team", "form": "slack", "url_from": "USCDR_CHAT_URL"}
PAGE = {"kind": "status_file", "audience": "users", "path": "status.json"}
PAGE_HOOK = {"kind": "status_webhook", "audience": "users", "url_from": "USCDR_STATUS_URL"}
OTHER = {"kind": "apprise", "audience": "stakeholders", "url_from": "USCDR_NOTICE_URLS"}


def read(entry: dict[str, Any]) -> ChannelSettings:
    adapter: TypeAdapter[ChannelSettings] = TypeAdapter(ChannelSettings)
    return adapter.validate_python(entry)


def built(
    tmp_path: Path, env: dict[str, str], *, loopback_only: bool = False, **entries: dict[str, Any]
) -> dict[str, Channel]:
    settings = {name: read(entry) for name, entry in entries.items()}
    made = channels(settings, env, tmp_path, Redactor(), incident="inc1", loopback_only=loopback_only)
    return dict(made)


def test_one_group_or_several() -> None:
    assert read(CHAT).audience == ("team",)
    assert read(MAIL).audience == ("team", "users")
    mail = read(MAIL)
    assert mail.kind == "smtp"
    assert (mail.server, mail.sender, mail.security) == (("mail.usc.example", 587), "a@usc.example", "starttls")


@pytest.mark.parametrize(
    "entry",
    [
        {**MAIL, "audience": []}, {**MAIL, "audience": "everybody"}, {**MAIL, "security": "none"},
        {**MAIL, "user": "mailer"}, {**MAIL, "password_from": "USCDR_SMTP_PASSWORD"}, {**MAIL, "server": "mail"},
        {**MAIL, "sender": "USC <a@usc.example>"}, {**CHAT, "form": "irc"}, {**CHAT, "url": "https://x"},
        {**CHAT, "kind": "fax"}, {**CHAT, "url_from": "HEROKU_API_KEY"}, {**CHAT, "url_from": "USCDR_AGE_IDENTITY"},
        {**CHAT, "url_from": "https://hooks.example/planted"}, {**PAGE, "path": ""},
    ],
)  # fmt: skip
def test_what_a_file_may_not_say(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(entry)


def test_where_something_goes_is_marked() -> None:
    marked = {"server", "password_from", "url_from", "path"}
    for entry in (MAIL, CHAT, PAGE, PAGE_HOOK, OTHER):
        settings = read(entry)
        assert isinstance(settings, BaseModel)
        expected = marked & entry.keys()
        assert {str(path[0]) for path in Destination.paths_in(settings)} == expected


def test_the_outbox_is_always_there(tmp_path: Path) -> None:
    made = built(tmp_path, {})
    assert list(made) == [OUTBOX]
    made[OUTBOX].send(LETTER)
    assert (tmp_path / "outbox" / "inc1" / "inc1-1.txt").is_file()


def test_one_that_cannot_be_built_does_not_stop_the_others(tmp_path: Path) -> None:
    made = built(tmp_path, {}, chat=CHAT, page=PAGE)
    assert isinstance(made["chat"], UnusableChannel)
    with pytest.raises(CredentialsRefused, match="USCDR_CHAT_URL") as raised:
        made["chat"].send(LETTER)
    assert raised.value.sent is False
    made["page"].send(LETTER)
    assert (tmp_path / "status.json").is_file()


def test_secrets_are_known_to_the_redactor(tmp_path: Path) -> None:
    env = {
        "USCDR_CHAT_URL": "https://hooks.example/planted-one",
        "USCDR_NOTICE_URLS": "json://a/planted-2 json://b/planted-3",
    }
    redactor = Redactor()
    made = channels(
        {"chat": read(CHAT), "other": read(OTHER)}, env, tmp_path, redactor, incident="inc1", loopback_only=False
    )
    assert not any(isinstance(one, UnusableChannel) for one in made.values())
    told = redactor.text("https://hooks.example/planted-one json://b/planted-3")
    assert told == "[USCDR_CHAT_URL] [USCDR_NOTICE_URLS]"


def test_a_drill_reaches_this_machine_only(tmp_path: Path) -> None:
    env = {"USCDR_CHAT_URL": "https://hooks.example/x", "USCDR_STATUS_URL": "http://127.0.0.1:9/status",
           "USCDR_NOTICE_URLS": "slack://a/b/c"}  # fmt: skip
    outside = {**PAGE, "path": "/srv/www/status.json"}
    made = built(
        tmp_path, env, loopback_only=True, mail=MAIL, chat=CHAT, hook=PAGE_HOOK, other=OTHER, page=PAGE, real=outside
    )
    refused = {name for name, one in made.items() if isinstance(one, UnusableChannel)}
    assert refused == {"mail", "chat", "other", "real"}
    for name in refused:
        with pytest.raises(WriteRefused):
            made[name].send(LETTER)


def test_mail_is_handed_in_as_configured(tmp_path: Path) -> None:
    script = Script(offers=("AUTH PLAIN",))
    with serving(script):
        entry = {**MAIL, "server": f"127.0.0.1:{script.port}", "security": "none", "user": "mailer",
                 "password_from": "USCDR_SMTP_PASSWORD"}  # fmt: skip
        made = built(tmp_path, {"USCDR_SMTP_PASSWORD": "planted-password"}, loopback_only=True, mail=entry)
        assert isinstance(made["mail"], SmtpChannel)
        assert made["mail"].send(LETTER, "ann@usc.example").startswith("250")
        made["mail"].close()
    assert len(script.messages) == 1
