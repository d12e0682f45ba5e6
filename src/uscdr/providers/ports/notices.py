"""Channels by which an incident tells people: mail, chats, status pages, files. One message, one recipient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from uscdr.errors import BadInput

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_LONGEST_SUBJECT = 200
ADDRESS_REFUSED = "address-refused"
"""`ProviderError.error_id` where a service refuses one address: the next recipient may be served."""


@dataclass(frozen=True)
class Letter:
    """One message for one channel and one recipient. Raises BadInput for an id or subject that a header cannot hold."""

    id: str
    """Stable for this message, channel and recipient: Message-ID of a mail, idempotency key of a webhook."""
    subject: str
    text: str
    """Plain text, no markup."""
    severity: str = ""
    """For colours of chats and pages: `critical`, `major`, `minor` or `resolved`; optional."""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id) or ".." in self.id:
            raise BadInput(
                f"{self.id!r} cannot be the id of a message.",
                why="An id has up to 100 letters, digits, dots, hyphens and underscores.",
            )
        if not self.subject.strip() or len(self.subject) > _LONGEST_SUBJECT or not self.subject.isprintable():
            raise BadInput(
                f"The subject of a message must be one line of 1 to {_LONGEST_SUBJECT} printable characters.",
                next_action="Shorten it, and write what else there is to say into the text.",
            )


class Channel(Protocol):
    """One way to reach people. Sends a letter at most once for each call; the caller keeps intents and receipts.

    Errors of `send`, none with a secret or an address:

    - `ProviderError` with `sent=False`, or a definite refusal: nothing was accepted. `retryable`: the same call may
      succeed later. `error_id` is ADDRESS_REFUSED where only this recipient is refused.
    - `RateLimited`: nothing was accepted; `retry_after` in seconds, if known.
    - `CredentialsRefused`: nothing was accepted, and nobody else's letter will be.
    - `AnswerLost`: it may have arrived.
    - `MachineError`, `BadInput`: this machine failed, or the input is wrong; nothing was sent.
    """

    def send(self, letter: Letter, to: str = "") -> str:
        """Send one letter (write). `to` is one mail address where the channel needs one.

        Returns the receipt: what the service said, as an id or a code, without secrets and addresses.
        """
        ...

    def close(self) -> None:
        """End what a batch of letters keeps open; a later `send` opens it again. Never raises."""
        ...
