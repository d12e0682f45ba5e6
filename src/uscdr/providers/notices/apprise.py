"""The `Channel` port on Apprise, which knows a hundred services by their addresses (optional extra `notify`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from uscdr.errors import AnswerLost, CredentialsRefused, MissingExtra, WriteRefused
from uscdr.providers.notices.loopback import require_loopback

if TYPE_CHECKING:
    from pydantic import SecretStr

    from uscdr.providers.ports.notices import Letter

PROVIDER = "Apprise"
_PLAIN = frozenset({"json", "jsons", "form", "forms", "xml", "xmls"})
"""Kinds of addresses whose host is where the letter goes; the others lead to a service, whatever they name."""
_KINDS = {"critical": "failure", "major": "warning", "resolved": "success"}
_CHECK = "Check the environment variable with the Apprise address: https://github.com/caronc/apprise/wiki"


class AppriseChannel:
    """Hands each letter to every address in `urls`, which are separated by white space.

    Raises `MissingExtra` where Apprise is not installed, `CredentialsRefused` for an unusable address, and with
    `loopback_only` `WriteRefused` for one that leads to another machine. No message shows an address.
    """

    def __init__(self, urls: SecretStr, *, loopback_only: bool = False) -> None:
        library = _library()
        given = urls.get_secret_value().split()
        if loopback_only:
            _require_this_machine(given)
        asset = library.AppriseAsset(async_mode=False, secure_logging=True)
        self._services = library.Apprise(asset=asset)
        if not given or not all(self._services.add(url) for url in given):
            raise CredentialsRefused(
                "Apprise does not know the address of this channel.", provider=PROVIDER, next_action=_CHECK, sent=False
            )

    def send(self, letter: Letter, to: str = "") -> str:
        """Notify; `to` is not used. Apprise does not say why one fails, so a failure may have arrived."""
        del to
        taken = self._services.notify(
            title=letter.subject, body=letter.text, notify_type=_KINDS.get(letter.severity, "info"), body_format="text"
        )
        if not taken:
            raise AnswerLost(
                "uscdr handed a notice to Apprise, which does not say that every service took it.",
                provider=PROVIDER,
                next_action="Look at the service before you repeat the message.",
            )
        return "taken"

    def close(self) -> None:
        """Nothing stays open."""


def _library() -> Any:  # noqa: ANN401 - loaded on first use
    """Apprise, with its own log kept off the screens: it may name addresses."""
    try:
        import apprise
    except ImportError as error:
        raise MissingExtra(
            "This channel needs Apprise, which is not installed.", extra="notify", module="apprise"
        ) from error
    logging.getLogger("apprise").disabled = True
    return apprise


def _require_this_machine(urls: list[str]) -> None:
    for url in urls:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            host = ""
        if not host or parts.scheme not in _PLAIN:
            raise WriteRefused(
                "uscdr does not send notices by Apprise in a drill: the address leads to a service.", provider=PROVIDER
            )
        require_loopback(host, provider=PROVIDER)
