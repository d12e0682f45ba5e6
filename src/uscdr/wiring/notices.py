"""The channels of notices, built from their settings and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from uscdr.errors import CredentialsRefused, UscdrError
from uscdr.models.incidents import OUTBOX
from uscdr.settings import user_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from uscdr.providers.notices.forms import Form
    from uscdr.providers.ports.notices import Channel, Letter
    from uscdr.redaction import Redactor
    from uscdr.scenarios.config_channels import ChannelSettings, SmtpSettings, StatusFileSettings


class UnusableChannel:
    """A channel that could not be built on this machine: the others still work, and this one says why it does not."""

    def __init__(self, error: UscdrError) -> None:
        self.error = error

    def send(self, letter: Letter, to: str = "") -> str:
        """Raise the reason: nothing is sent."""
        del letter, to
        raise self.error

    def close(self) -> None:
        """Nothing is open."""


def channels(
    settings: Mapping[str, ChannelSettings], env: Mapping[str, str], state: Path, redactor: Redactor, *,
    incident: str, loopback_only: bool, ca_file: Path | None = None,
) -> Mapping[str, Channel]:  # fmt: skip
    """The channels by name, and the outbox of the incident, whose files are in `<state>/outbox/<incident>/`.

    With `loopback_only` (drills, the sandbox), channels that lead to another machine are unusable. Each secret goes to
    the redactor. Raises nothing for a channel that cannot be built: it is an UnusableChannel.
    """
    from uscdr.providers.notices.outbox import OutboxChannel

    build = _Builder(env, state, redactor, loopback_only=loopback_only, ca_file=ca_file)
    made: dict[str, Channel] = {OUTBOX: OutboxChannel(state / "outbox" / incident)}
    for name, each in settings.items():
        try:
            made[name] = build.channel(each)
        except UscdrError as error:
            made[name] = UnusableChannel(error)
    return made


class _Builder:
    """Builds channels one by one; their libraries are imported on first use."""

    def __init__(
        self, env: Mapping[str, str], state: Path, redactor: Redactor, *, loopback_only: bool, ca_file: Path | None
    ) -> None:
        self._env = env
        self._state = state
        self._redactor = redactor
        self._loopback_only = loopback_only
        self._ca_file = ca_file

    def channel(self, settings: ChannelSettings) -> Channel:
        """Raises UscdrError where it cannot be built."""
        match settings.kind:
            case "smtp":
                return self._smtp(settings)
            case "webhook":
                return self._webhook(settings.url_from, settings.form)
            case "status_webhook":
                return self._webhook(settings.url_from, "json")
            case "apprise":
                from uscdr.providers.notices.apprise import AppriseChannel

                urls = self._secret(settings.url_from)
                for one in urls.get_secret_value().split():
                    self._redactor.register(settings.url_from, one)
                return AppriseChannel(urls, loopback_only=self._loopback_only)
            case "status_file":
                return self._status_file(settings)

    def _smtp(self, settings: SmtpSettings) -> Channel:
        from uscdr.providers.http.client import trust
        from uscdr.providers.notices.smtp import MailServer, SmtpChannel

        host, port = settings.server
        password = self._secret(settings.password_from) if settings.password_from else None
        server = MailServer(host, port, settings.security, settings.sender, settings.user, password, settings.batch)
        return SmtpChannel(server, trust(self._ca_file), loopback_only=self._loopback_only)

    def _webhook(self, url_from: str, form: Form) -> Channel:
        from uscdr.providers.http.client import trust
        from uscdr.providers.notices.webhook import WebhookChannel

        return WebhookChannel(self._secret(url_from), form, trust(self._ca_file), loopback_only=self._loopback_only)

    def _status_file(self, settings: StatusFileSettings) -> Channel:
        from uscdr.providers.notices.outbox import StatusFileChannel

        path = self._state / user_path(settings.path)  # an absolute path stays as it is
        return StatusFileChannel(path, within=self._state if self._loopback_only else None)

    def _secret(self, name: str) -> SecretStr:
        """The variable's value, which the redactor knows from now on. Raises CredentialsRefused when it is not set."""
        value = self._env.get(name, "").strip()
        if not value:
            raise CredentialsRefused(
                f"The environment variable {name} is not set, so uscdr cannot use this channel.",
                provider="this channel",
                next_action=f"Set it, best from a file that only you can read: export {name}=…",
                sent=False,
            )
        self._redactor.register(name, value)
        return SecretStr(value)
