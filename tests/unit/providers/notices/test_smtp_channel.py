"""Mail against a server on loopback: what counts as sent, as refused and as unknown, and what nobody may read."""

from __future__ import annotations

import email
import ssl
from email.message import EmailMessage
from email.policy import default

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from pydantic import SecretStr

from scripted_mail import BODY, CUT, SILENT, Script, logins, serving
from uscdr.errors import AnswerLost, BadInput, CredentialsRefused, ProviderError, UscdrError, WriteRefused
from uscdr.providers.http.client import trust
from uscdr.providers.notices import smtp
from uscdr.providers.notices.smtp import MailServer, Security, SmtpChannel, SmtpLimits
from uscdr.providers.ports.notices import ADDRESS_REFUSED, Letter

LETTER = Letter("inc1-users-3f9a", "USC-PIS is down", "We are working on it.\n.\n..two dots\nNext update: 14:30 UTC")
TO = "ann.planted@patients.example"
PASSWORD = "correct-horse-planted"
SHORT = SmtpLimits(connect=5, command=1, data=1)
LAST_SHORT = SmtpLimits(connect=20, command=20, data=1)
LONG = SmtpLimits(connect=20, command=20, data=20)


def server_of(script: Script, security: Security = "none", *, login: bool = False, batch: int = 50) -> MailServer:
    user, password = ("mailer", SecretStr(PASSWORD)) if login else ("", None)
    return MailServer("127.0.0.1", script.port, security, "noreply@usc.example", user, password, batch)


def sent(script: Script, limits: SmtpLimits = LONG, *, login: bool = False, to: str = TO) -> str:
    with serving(script), SmtpChannel(server_of(script, login=login), trust(), limits=limits) as channel:
        return channel.send(LETTER, to)


def failed(script: Script, limits: SmtpLimits = LONG, *, login: bool = False, to: str = TO) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        sent(script, limits, login=login, to=to)
    hides(raised.value)
    return raised.value


def hides(error: UscdrError) -> None:
    told = f"{error.message} {error.why} {error.next_action} {error} {error!r} {error.__cause__}"
    for canary in (TO, "ann.planted", PASSWORD, "PLANTED-BY-THE-SERVER"):
        assert canary not in told


def as_mail(message: bytes) -> EmailMessage:
    found = email.message_from_bytes(message, policy=default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_message_arrives_as_it_was_written() -> None:
    script = Script()
    assert sent(script) == "250 2.0.0 queued as 4XyZ9"
    assert script.heard == [
        "ehlo usc.example", "mail FROM:<noreply@usc.example>", f"rcpt TO:<{TO}>", "DATA", "QUIT",
    ]  # fmt: skip
    [raw] = script.messages
    assert b"\n..\r\n...two dots\r\n" in raw, "leading dots are doubled on the wire"
    mail = as_mail(raw.replace(b"\n..", b"\n."))
    assert mail["Message-ID"] == "<inc1-users-3f9a@usc.example>"
    assert (mail["Auto-Submitted"], mail["To"], mail["Cc"], mail["Bcc"]) == ("auto-generated", TO, None, None)
    assert mail["Subject"] == LETTER.subject
    assert mail["Date"] is not None
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n") == LETTER.text + "\n"


class AnyPort(Controller):
    """A controller that knows which port it was given."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()  # type: ignore[no-untyped-call]


def test_a_real_server_takes_letters_of_any_script() -> None:
    taken: list[tuple[str, list[str], bytes]] = []

    class Keeping:
        async def handle_DATA(self, _: object, session: object, envelope: Envelope) -> str:  # noqa: N802 - its hook
            taken.append((str(envelope.mail_from), list(envelope.rcpt_tos), envelope.original_content or b""))
            return "250 OK"

    letter = Letter("n-1", "Ang sistema ay bumalik ✓", "Salamat.\n\rFrom here\r\n" + "ñ" * 3000)
    controller = AnyPort(Keeping(), hostname="127.0.0.1", port=0)
    controller.start()
    try:
        server = MailServer("127.0.0.1", controller.port, "none", "noreply@usc.example")
        with SmtpChannel(server, trust(), limits=LONG) as channel:
            assert channel.send(letter, TO) == "250"
            assert channel.send(Letter("n-2", "Again", "x"), "bob@patients.example") == "250"
    finally:
        controller.stop()
    assert [(sender, to) for sender, to, _ in taken] == [
        ("noreply@usc.example", [TO]), ("noreply@usc.example", ["bob@patients.example"]),
    ]  # fmt: skip
    mail = as_mail(taken[0][2])
    assert mail["Subject"] == letter.subject
    assert "ñ" * 3000 in mail.get_content()


@pytest.mark.parametrize("step", ["hello", "MAIL", "RCPT", "DATA", BODY])
@pytest.mark.parametrize("reply", ["421 4.3.2 closing", "450 4.2.1 busy", "451 4.7.1 greylisted", "452 4.3.1 full"])
def test_not_now_is_not_sent_and_may_be_repeated(step: str, reply: str) -> None:
    error = failed(Script({step: [f"{reply} PLANTED-BY-THE-SERVER {TO}"]}))
    assert not isinstance(error, AnswerLost)
    assert (error.sent, error.retryable, error.status) == (False, True, int(reply[:3]))


@pytest.mark.parametrize("code", [550, 551, 553, 554])
def test_a_refused_address_is_definite_and_its_own(code: int) -> None:
    error = failed(Script({"RCPT": [f"{code} 5.1.1 <{TO}> PLANTED-BY-THE-SERVER"]}))
    assert (error.sent, error.retryable, error.error_id) == (False, False, ADDRESS_REFUSED)


@pytest.mark.parametrize(("step", "reply"), [("MAIL", "550 no sender"), (BODY, "554 5.7.1 spam"), ("hello", "554 no")])
def test_a_refusal_that_is_not_of_the_address(step: str, reply: str) -> None:
    error = failed(Script({step: [reply]}))
    assert (error.sent, error.retryable) == (False, False)
    assert error.error_id != ADDRESS_REFUSED


def test_after_a_refused_address_the_connection_serves_the_next() -> None:
    script = Script({"RCPT": ["550 5.1.1 unknown", "250 ok"]})
    with serving(script), SmtpChannel(server_of(script), trust(), limits=LONG) as channel:
        with pytest.raises(ProviderError):
            channel.send(LETTER, TO)
        channel.send(Letter("n-2", "Again", "x"), "bob@patients.example")
    assert script.connections == 1
    assert [line.split(" ")[0].upper() for line in script.heard] == [
        "EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA", "QUIT",
    ]  # fmt: skip


@pytest.mark.parametrize("step", ["hello", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(("how", "limits"), [(CUT, LONG), (SILENT, SHORT)])
def test_cut_or_silent_before_the_final_dot_is_not_sent(step: str, how: str, limits: SmtpLimits) -> None:
    script = Script({step: [how]})
    error = failed(script, limits)
    assert not isinstance(error, AnswerLost)
    assert (error.sent, error.retryable, script.messages) == (False, True, [])


def test_cut_amid_the_message_is_never_taken_for_accepted() -> None:
    script = Script(cut_after=10)
    long = Letter("n-long", "Long", "x" * 12_000_000)
    with (
        serving(script),
        SmtpChannel(server_of(script), trust(), limits=LONG) as channel,
        pytest.raises(ProviderError) as raised,
    ):
        channel.send(long, TO)
    assert (raised.value.sent, raised.value.retryable) == (False, True)


@pytest.mark.parametrize(("how", "limits"), [(CUT, LONG), (SILENT, LAST_SHORT), ("what?", LONG), ("150 hm", LONG)])
def test_no_answer_after_the_final_dot_may_have_arrived(how: str, limits: SmtpLimits) -> None:
    script = Script({BODY: [how]})
    error = failed(script, limits)
    assert isinstance(error, AnswerLost)
    assert error.sent
    assert len(script.messages) == 1, "it is not sent twice"


def test_endless_answers_end() -> None:
    flood = "\r\n".join(["250-more"] * 500)
    assert isinstance(failed(Script({BODY: [flood]})), AnswerLost)
    assert failed(Script({"MAIL": [flood]})).sent is False
    assert isinstance(failed(Script({BODY: ["250 " + "x" * 20_000]})), AnswerLost)


def test_a_kept_connection_that_ended_is_opened_once_more() -> None:
    script = Script({"MAIL": ["250 ok", CUT, "250 ok"]})
    with serving(script), SmtpChannel(server_of(script), trust(), limits=LONG) as channel:
        channel.send(LETTER, TO)
        channel.send(Letter("n-2", "Again", "x"), "bob@patients.example")
    assert (script.connections, len(script.messages)) == (2, 2)


def test_a_lost_answer_on_a_kept_connection_is_not_repeated() -> None:
    script = Script({BODY: ["250 ok", CUT, "250 ok"]})
    with serving(script), SmtpChannel(server_of(script), trust(), limits=LONG) as channel:
        channel.send(LETTER, TO)
        with pytest.raises(AnswerLost):
            channel.send(Letter("n-2", "Again", "x"), "bob@patients.example")
    assert (script.connections, len(script.messages)) == (1, 2)


def test_an_interrupted_message_takes_its_connection_along(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    with serving(script), SmtpChannel(server_of(script), trust(), limits=LONG) as channel:
        channel.send(LETTER, TO)
        with monkeypatch.context() as patch:
            patch.setattr(smtp, "_transaction", interrupted)
            with pytest.raises(KeyboardInterrupt):
                channel.send(Letter("n-2", "Again", "x"), TO)
        channel.send(Letter("n-3", "Again", "x"), TO)
    assert (script.connections, len(script.messages)) == (2, 2)


def test_a_batch_ends_its_connection() -> None:
    script = Script()
    with serving(script), SmtpChannel(server_of(script, batch=2), trust(), limits=LONG) as channel:
        for number in range(5):
            channel.send(Letter(f"n-{number}", "Again", "x"), TO)
    assert script.connections == 3
    assert len(script.messages) == 5


# Encryption and login.


def certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = trust()
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_password_goes_over_tls(security: Security) -> None:
    authority = trustme.CA()
    offers = ("AUTH PLAIN",) if security == "tls" else ("STARTTLS", "AUTH PLAIN")
    script = Script(tls=certified(authority), implicit=security == "tls", offers=offers)
    with serving(script):
        server = server_of(script, security, login=True)
        with SmtpChannel(server, trusting(authority), limits=LONG) as channel:
            assert channel.send(LETTER, TO).startswith("250")
    assert logins(script) == [f"\0mailer\0{PASSWORD}"]
    verbs = [line.split(" ")[0].upper() for line in script.heard]
    assert verbs.index("AUTH") > verbs.index("STARTTLS" if security == "starttls" else "EHLO")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_unknown_authority_is_refused_before_the_password(security: Security) -> None:
    script = Script(tls=certified(trustme.CA()), implicit=security == "tls", offers=("STARTTLS", "AUTH PLAIN"))
    with serving(script), pytest.raises(ProviderError) as raised:
        SmtpChannel(server_of(script, security, login=True), trusting(trustme.CA()), limits=LONG).send(LETTER, TO)
    hides(raised.value)
    assert "not trusted" in raised.value.why
    assert (raised.value.sent, raised.value.retryable, logins(script)) == (False, False, [])


def test_a_server_without_encryption_gets_nothing() -> None:
    script = Script(offers=("AUTH PLAIN",))
    with serving(script), pytest.raises(ProviderError) as raised:
        SmtpChannel(server_of(script, "starttls", login=True), trust(), limits=LONG).send(LETTER, TO)
    assert (raised.value.sent, script.messages, logins(script)) == (False, [], [])
    with pytest.raises(ProviderError, match="unencrypted"):
        MailServer("mail.usc.example", 25, "none", "noreply@usc.example")


@pytest.mark.parametrize("reply", [f"535 5.7.8 {PASSWORD} PLANTED-BY-THE-SERVER", "534 5.7.9 use an app password"])
def test_a_refused_login(reply: str) -> None:
    error = failed(Script({"AUTH": [reply]}, offers=("AUTH PLAIN",)), login=True)
    assert isinstance(error, CredentialsRefused)
    assert error.sent is False


def test_a_server_that_takes_no_login() -> None:
    assert isinstance(failed(Script(), login=True), CredentialsRefused)
    assert isinstance(failed(Script(offers=("AUTH XOAUTH2",)), login=True), CredentialsRefused)


def test_a_password_that_cannot_be_sent_is_not_repeated_in_the_error() -> None:
    with pytest.raises(CredentialsRefused) as raised:
        MailServer("127.0.0.1", 25, "none", "noreply@usc.example", "mailer", SecretStr(f"{PASSWORD}ü"))
    hides(raised.value)


# What a letter and an address may hold.


@pytest.mark.parametrize(
    "to", ["", "ann", f"{TO}\r\nRCPT TO:<eve@evil.example>", f"{TO},eve@evil.example", f"Ann <{TO}>",
           f"{TO} NOTIFY=NEVER", f"{TO}>", '"ann planted"@patients.example', "änn@patients.example", "ann@-x.example"]
)  # fmt: skip
def test_what_is_not_one_address_is_refused_before_a_connection(to: str) -> None:
    script = Script()
    with pytest.raises(ProviderError) as raised:
        sent(script, to=to)
    hides(raised.value)
    assert (raised.value.error_id, raised.value.sent, script.connections) == (ADDRESS_REFUSED, False, 0)


@pytest.mark.parametrize("subject", ["Down\r\nBcc: eve@evil.example", "Down\n", "", "x" * 201, "a\x00b"])
def test_a_subject_is_one_line(subject: str) -> None:
    with pytest.raises(BadInput):
        Letter("n-1", subject, "text")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "-x", "a..b", "a>\r\n", "ü"])
def test_an_id_fits_a_header_and_a_file_name(name: str) -> None:
    with pytest.raises(BadInput):
        Letter(name, "Down", "text")


def test_a_drill_writes_to_this_machine_only() -> None:
    with pytest.raises(WriteRefused):
        SmtpChannel(MailServer("mail.usc.example", 587, "starttls", "a@usc.example"), trust(), loopback_only=True)
    SmtpChannel(MailServer("localhost", 2525, "none", "a@usc.example"), trust(), loopback_only=True)


def test_nobody_listens() -> None:
    script = Script()
    with serving(script):
        pass
    with pytest.raises(ProviderError) as raised:
        SmtpChannel(server_of(script), trust(), limits=LONG).send(LETTER, TO)
    assert (raised.value.sent, raised.value.retryable) == (False, True)
