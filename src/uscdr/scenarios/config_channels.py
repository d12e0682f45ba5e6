"""Channels of notices: each a `kind`, whom it reaches, and where its secrets are in the environment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from uscdr.models.addresses import mail_address
from uscdr.models.base import Destination, Fact
from uscdr.scenarios.config_targets import HostPort
from uscdr.settings import is_loopback_host

Group = Literal["team", "stakeholders", "users"]
GROUPS: tuple[Group, ...] = ("team", "stakeholders", "users")

SecretName = Annotated[
    str, StringConstraints(pattern=r"^USCDR_(?:CHAT|SMTP|STATUS|NOTICE)_[A-Z0-9_]{1,40}$"), Destination()
]
"""The name of an environment variable. Only those made for channels: a file must not send another secret anywhere."""
Sender = Annotated[str, AfterValidator(mail_address)]


def _one_or_more(value: object) -> object:
    """One name stands for a list of one."""
    return (value,) if isinstance(value, str) else value


class _ChannelBase(Fact):
    """What every channel says: which groups it serves."""

    audience: Annotated[
        Annotated[tuple[Group, ...], Field(min_length=1)], BeforeValidator(_one_or_more, tuple[Group, ...] | Group)
    ]
    """A mail server writes to the recipients of these groups; a chat or page is read by them."""


class SmtpSettings(_ChannelBase):
    """A mail server. The password comes from the environment variable that `password_from` names."""

    kind: Literal["smtp"]
    server: Annotated[HostPort, Destination()]
    """`host:port`."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` only for a server on this machine."""
    user: str = ""
    password_from: SecretName | None = None
    sender: Sender
    batch: Annotated[int, Field(ge=1, le=1000)] = 50
    """Messages of one connection, and at a time."""
    per_hour: Annotated[int, Field(ge=1, le=1_000_000)] = 400
    """What the provider of the server allows."""

    @model_validator(mode="after")
    def _private(self) -> SmtpSettings:
        if self.security == "none" and not is_loopback_host(self.server[0]):
            raise ValueError("security: none is only for a server on this machine; write starttls or tls")
        if bool(self.user) != bool(self.password_from):
            raise ValueError("user and password_from belong together")
        return self


class WebhookSettings(_ChannelBase):
    """A chat's incoming webhook, or any service that takes JSON. Its address is a secret of the environment."""

    kind: Literal["webhook"]
    form: Literal["slack", "teams", "discord", "json"]
    url_from: SecretName


class AppriseSettings(_ChannelBase):
    """Any service that Apprise knows, by addresses in the environment."""

    kind: Literal["apprise"]
    url_from: SecretName


class StatusFileSettings(_ChannelBase):
    """A status page as a file (JSON, and text beside it), which a web server or a sync tool picks up."""

    kind: Literal["status_file"]
    path: Annotated[str, Field(min_length=1), Destination()]
    """Of the JSON; a relative path is below the state directory."""


class StatusWebhookSettings(_ChannelBase):
    """A status page that takes JSON by POST."""

    kind: Literal["status_webhook"]
    url_from: SecretName


ChannelSettings = Annotated[
    SmtpSettings | WebhookSettings | AppriseSettings | StatusFileSettings | StatusWebhookSettings,
    Field(discriminator="kind"),
]
"""One entry of `communication.channels` in scenarios.yaml."""


class AudienceSettings(Fact):
    """How the list of recipients is taken from the application."""

    users_query: str = "SELECT email FROM authentication_user WHERE is_active AND is_verified"
    """Returns the addresses of the users who are told: one column of text."""
