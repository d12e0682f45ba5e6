"""The `Channel` port on a mail server (RFC 5321, 3207, 4954). One message, one recipient, plain text.

What may be repeated is decided by one moment, the final dot of the message: before it nothing was accepted, after it
the server's answer decides, and without that answer the message may have arrived.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from typing_extensions import override

from uscdr.errors import AnswerLost, CredentialsRefused, ProviderError
from uscdr.models.addresses import mail_address
from uscdr.providers.http.outages import wait_for_dns
from uscdr.providers.http.transport import Cut
from uscdr.providers.notices.loopback import require_loopback
from uscdr.providers.ports.notices import ADDRESS_REFUSED, Letter
from uscdr.settings import is_loopback_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

PROVIDER = "the mail server"
Security = Literal["starttls", "tls", "none"]
_LINES = 100
"""Of one answer."""
_LATER = "Wait some minutes, then send the notice again."
_CREDENTIALS = "Check the user and the password of the mail server, and the environment variable with the password."
_ENHANCED = re.compile(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?=\s|$)")
_QUEUED = re.compile(rb"(?:queued as|id[= ]|<)\s*([A-Za-z0-9][A-Za-z0-9._-]{3,63})(?=[\s>;,)]|$)", re.IGNORECASE)
_READY, _GO_ON = 220, 354
_NO_LOGIN = frozenset({530, 534, 535, 538})
_ADDRESS = frozenset({550, 551, 552, 553, 554})
"""Answers to RCPT that concern this recipient."""


@dataclass(frozen=True)
class SmtpLimits:
    """Seconds of each step: connecting and TLS, the answer to one command, the answer to the whole message."""

    connect: float = 10.0
    command: float = 30.0
    data: float = 120.0


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in, and as whom. `security` is `none` only on this machine.

    `batch`: messages of one connection. Raises ProviderError (nothing was sent) where the password would be readable.
    """

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password: SecretStr | None = field(default=None, repr=False)
    batch: int = 50

    def __post_init__(self) -> None:
        if self.security == "none" and not is_loopback_host(self.host):
            raise ProviderError(
                "uscdr sends no mail over an unencrypted connection to another machine.",
                provider=PROVIDER,
                next_action="Set `security` of this channel to starttls or tls.",
                sent=False,
            )
        password = self.password.get_secret_value() if self.password else ""
        if self.user and not (password and password.isascii() and password.isprintable()):
            raise CredentialsRefused(
                "The password of the mail server is empty or contains invalid characters.",
                provider=PROVIDER,
                next_action=_CREDENTIALS,
                sent=False,
            )

    @property
    def domain(self) -> str:
        """The sender's domain: the name that this machine introduces itself with, instead of its own."""
        return self.sender.rpartition("@")[2]


class SmtpChannel:
    """Sends mail. Keeps one connection for up to `batch` messages; `close()` it, or use it as a context manager.

    For one thread. Raises `WriteRefused` with `loopback_only` for a server on another machine.
    """

    def __init__(
        self, server: MailServer, verify: ssl.SSLContext, *, loopback_only: bool = False,
        limits: SmtpLimits | None = None,
    ) -> None:  # fmt: skip
        if loopback_only:
            require_loopback(server.host, provider=PROVIDER)
        self._server = server
        self._verify = verify
        self._limits = limits or SmtpLimits()
        self._connection: _Connection | None = None
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, letter: Letter, to: str = "") -> str:
        """Hand in one message for one recipient.

        A kept connection that ended meanwhile is opened once more, because nothing was accepted on it.
        """
        recipient = _recipient(to)
        message = _message(letter, self._server, recipient)
        kept = self._connection is not None
        try:
            return self._handed_in(message, recipient)
        except ProviderError as error:
            if error.sent or not error.retryable or not kept or self._connection is not None:
                raise
        return self._handed_in(message, recipient)

    def close(self) -> None:
        """Say QUIT and close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(smtplib.SMTPException, OSError):
                connection.docmd("QUIT")
            connection.end()

    def _handed_in(self, message: bytes, recipient: str) -> str:
        if self._sent >= self._server.batch:
            self.close()
        if self._connection is None:
            self._connection, self._sent = _opened(self._server, self._verify, self._limits), 0
        try:
            receipt = _transaction(self._connection, self._server.sender, recipient, message)
        except _Refused as refused:
            self._after(refused)
            raise refused.error from None
        except BaseException:  # also Ctrl-C: what comes next must not be taken for the rest of this message
            self._drop()
            raise
        self._sent += 1
        return receipt

    def _after(self, refused: _Refused) -> None:
        """A refused message is taken back (RSET); where that fails, the connection is of no more use."""
        with suppress(smtplib.SMTPException, OSError):
            if self._connection is not None and not refused.closing and _good(self._connection.docmd("RSET")[0]):
                return
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.end()


class _Refused(Exception):
    """The server answered, and did not accept: the connection may still be used unless it is closing."""

    def __init__(self, error: ProviderError, *, closing: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.closing = closing


class _Connection(smtplib.SMTP):
    """One connection; each answer and each piece that is sent has a limit of time, and an answer one of lines."""

    def __init__(self, server: MailServer, verify: ssl.SSLContext, limits: SmtpLimits) -> None:
        self._implicit = verify if server.security == "tls" else None
        self.limits = limits
        self._handle: socket.socket | None = None
        super().__init__(timeout=limits.connect, local_hostname=server.domain)
        self._host = server.host  # the name in its certificate

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """The library's hook: how `connect` gets its socket."""
        wait_for_dns(host, timeout)
        made = socket.create_connection((host, port), timeout)
        self._handle = made.dup()  # outlives the change to TLS, which takes the other one
        made.settimeout(max(self.limits.command, self.limits.data))
        if self._implicit is None:
            return made
        with self.within(self.limits.connect):
            return self._implicit.wrap_socket(made, server_hostname=self._host)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the connection when the block takes longer."""
        assert self._handle is not None  # noqa: S101 - connected
        cut = Cut(seconds, self._handle)
        try:
            yield
        finally:
            cut.cancel()

    @override
    def getreply(self) -> tuple[int, bytes]:
        return self.reply(self.limits.command)

    def reply(self, seconds: float) -> tuple[int, bytes]:
        """Wait for one answer. Raises SMTPServerDisconnected and other SMTPException where there is none."""
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock.makefile("rb"))
        if isinstance(self.file, _Lines):
            self.file.left = _LINES
        with self.within(seconds):
            return super().getreply()

    def end(self) -> None:
        """Close it, whatever state it is in."""
        with suppress(OSError):
            self.close()
        if self._handle is not None:
            self._handle.close()


class _Lines:
    """The lines that the server sends. A flood of them is no answer."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.left = _LINES

    def readline(self, size: int) -> bytes:
        """One line of at most `size` bytes. Raises OSError for too many."""
        self.left -= 1
        if self.left < 0:
            raise OSError
        return self._file.readline(size)

    def close(self) -> None:
        """Close it."""
        self._file.close()


# One session: connect, encrypt, log in. Nothing of it is a message yet, so every failure may be repeated.


def _opened(server: MailServer, verify: ssl.SSLContext, limits: SmtpLimits) -> _Connection:
    """Raises ProviderError with `sent=False`, and CredentialsRefused."""
    connection = _Connection(server, verify, limits)
    try:
        with _unsent("reach"):
            _require(connection.connect(server.host, server.port), "greet uscdr", expected=_READY)
            connection.ehlo_or_helo_if_needed()
            if server.security == "starttls":
                _encrypt(connection, verify, limits)
            if server.user and server.password is not None:
                _log_in(connection, server.user, server.password)
    except BaseException:
        connection.end()
        raise
    return connection


def _encrypt(connection: _Connection, verify: ssl.SSLContext, limits: SmtpLimits) -> None:
    if not connection.has_extn("starttls"):
        raise ProviderError(
            f"{_upper(PROVIDER)} offers no encryption (STARTTLS). uscdr did not send the notice.",
            provider=PROVIDER,
            next_action="Use the server's port for TLS with `security: tls`, or another server.",
            sent=False,
        )
    with connection.within(limits.connect + limits.command):
        connection.starttls(context=verify)
    connection.ehlo_or_helo_if_needed()


def _log_in(connection: _Connection, user: str, password: SecretStr) -> None:
    try:
        connection.login(user, password.get_secret_value())
    except smtplib.SMTPAuthenticationError as error:
        raise _refusal(error.smtp_code, _as_bytes(error.smtp_error), "accept the user and the password") from None
    except smtplib.SMTPServerDisconnected:
        raise
    except (smtplib.SMTPException, UnicodeError):
        raise CredentialsRefused(
            f"{_upper(PROVIDER)} takes no user and password that uscdr could send.",
            provider=PROVIDER,
            next_action=_CREDENTIALS,
            sent=False,
        ) from None


def _transaction(connection: _Connection, sender: str, recipient: str, message: bytes) -> str:
    """One message. Raises _Refused for an answer that does not accept it, else ProviderError or AnswerLost."""
    with _unsent("hand in the notice at"):
        _accepted(connection.mail(sender), "accept the sender")
        _accepted(connection.rcpt(recipient), "accept the recipient", of_address=True)
        _accepted(connection.docmd("DATA"), "take a message", expected=_GO_ON)
        with connection.within(connection.limits.data):
            connection.send(message)
    try:
        connection.send(b".\r\n")
        code, text = connection.reply(connection.limits.data)
    except (smtplib.SMTPException, OSError):
        raise _lost("the connection ended, or no answer came in time, after the whole message was sent") from None
    _accepted((code, text), "accept the message", final=True)
    return _receipt(code, text)


@contextmanager
def _unsent(doing: str) -> Iterator[None]:
    """Every failure in here is one before the final dot: nothing was accepted."""
    try:
        yield
    except (smtplib.SMTPHeloError, smtplib.SMTPConnectError, smtplib.SMTPResponseException) as error:
        raise _refusal(error.smtp_code, _as_bytes(error.smtp_error), f"let uscdr {doing} it") from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        untrusted = isinstance(error, ssl.SSLCertVerificationError)
        raise ProviderError(
            f"uscdr could not {doing} {PROVIDER}. Nothing was sent.",
            provider=PROVIDER,
            why=_cause(error),
            next_action="Check this machine's clock. If the server's authority is your own, set `ca_file`."
            if untrusted
            else "Check the server's address in `communication`, and this machine's network.",
            retryable=not untrusted,
            sent=False,
        ) from None


def _cause(error: BaseException) -> str:
    """In our own words: a library's may quote what the server sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is not trusted ({error.verify_message})."
    if isinstance(error, ssl.SSLError):
        return "The TLS connection failed."
    if isinstance(error, TimeoutError):
        return "It did not answer within the time limit."
    if isinstance(error, OSError) and error.strerror and not isinstance(error, smtplib.SMTPException):
        return f"{error.strerror}."
    return "The connection ended, or no answer came in time."


def _require(reply: tuple[int, bytes], doing: str, *, expected: int | None = None) -> None:
    code, text = reply
    if not (_good(code) if expected is None else code == expected):
        raise _refusal(code, text, doing)


def _accepted(
    reply: tuple[int, bytes], doing: str, *, expected: int | None = None, of_address: bool = False, final: bool = False
) -> None:
    """Raises _Refused for a refusal, and AnswerLost for an undocumented answer to the whole message."""
    code, text = reply
    if _good(code) if expected is None else code == expected:
        return
    if final and not _is_refusal(code):
        raise _lost(f"it answered {code}, which is neither acceptance nor refusal")
    error = _refusal(code, text, doing, of_address=of_address)
    raise _Refused(error, closing=not _is_refusal(code) or code in (421, 521))


def _good(code: int) -> bool:
    return 200 <= code < 300  # noqa: PLR2004 - RFC 5321, 4.2.1


def _is_refusal(code: int) -> bool:
    return 400 <= code < 600  # noqa: PLR2004


def _refusal(code: int, text: bytes, doing: str, *, of_address: bool = False) -> ProviderError:
    """The error for an answer that does not accept: 4yz may be repeated later, 5yz not. Nothing of the text is kept."""
    found = _ENHANCED.match(text)
    enhanced = found[0].decode() if found else ""
    why = f"It answered {code}{' ' if enhanced else ''}{enhanced}." if code > 0 else "Its answer is not SMTP."
    if code in _NO_LOGIN:
        message = f"{_upper(PROVIDER)} refused to {doing}: it does not accept the login."
        return CredentialsRefused(
            message, provider=PROVIDER, why=why, next_action=_CREDENTIALS, status=code, error_id=enhanced, sent=False
        )
    later = code < 500  # noqa: PLR2004 - also what is no answer
    only_this = not later and ((of_address and code in _ADDRESS) or enhanced.startswith(("5.1.", "5.2.")))
    action = "Check the address in the list of recipients." if only_this else "Ask the operator of the mail server."
    return ProviderError(
        f"{_upper(PROVIDER)} refused to {doing}{' for now' if later else ''}.",
        provider=PROVIDER,
        why=why,
        next_action=_LATER if later else action,
        status=code if code > 0 else None,
        error_id=ADDRESS_REFUSED if only_this else enhanced,
        retryable=later,
        sent=False,
    )


def _lost(why: str) -> AnswerLost:
    return AnswerLost(
        "uscdr handed a notice to the mail server; whether it was accepted is unknown.",
        provider=PROVIDER,
        why=f"{_upper(why)}.",
        next_action="Look for the message in the mail server's log or in the recipient's mailbox before you repeat it.",
    )


def _receipt(code: int, text: bytes) -> str:
    """`250 2.0.0 queued as 4XyZ`, as far as the server says it."""
    enhanced, queued = _ENHANCED.match(text), _QUEUED.search(text)
    named = f"queued as {queued[1].decode()}" if queued else ""
    return " ".join(filter(None, (str(code), enhanced[0].decode() if enhanced else "", named)))


def _as_bytes(text: Any) -> bytes:  # noqa: ANN401 - smtplib has both
    return text if isinstance(text, bytes) else str(text).encode(errors="replace")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


# The message.


def _recipient(to: str) -> str:
    """Raises ProviderError, without the address, where `to` is not one address."""
    try:
        return mail_address(to)
    except ValueError as error:
        raise ProviderError(
            "uscdr did not send a notice: the recipient's address is unsuitable.",
            provider=PROVIDER,
            why=f"{_upper(str(error))}.",
            next_action="Correct the address: uscdr incident audience",
            error_id=ADDRESS_REFUSED,
            sent=False,
        ) from None


def _message(letter: Letter, server: MailServer, recipient: str) -> bytes:
    """As it goes over the wire, without the final dot: lines end in CRLF, and a leading dot is doubled."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = server.sender
    mail["To"] = recipient
    mail["Subject"] = letter.subject
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = f"<{letter.id}@{server.domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office reply
    mail.set_content("\n".join(letter.text.splitlines()) + "\n", cte="quoted-printable")
    lines = mail.as_bytes().splitlines()
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
