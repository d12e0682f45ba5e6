"""What each call does when its answer is a fault: a read is asked again, a write never repeated blindly."""

import socket
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from heroku_wire import CANARY, Answer, Connect, StartPeer, answer, patience, reset, reset_in_body, silence
from matrix import cells
from pydantic import SecretStr

from uscdr.errors import (
    AnswerLost,
    BadInput,
    ConfigError,
    Conflict,
    CredentialsRefused,
    Interrupted,
    NotFound,
    ProviderError,
    RateLimited,
)
from uscdr.models.heroku import Attachment
from uscdr.models.migrations import SourceArchive
from uscdr.providers.heroku.backups import HerokuBackups
from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.heroku.deploys import HerokuDeploys
from uscdr.providers.heroku.platform import HerokuPlatform
from uscdr.providers.heroku.provisioning import HerokuProvisioning
from uscdr.providers.http.retry import Wait

pytest_plugins = ("heroku_wire",)

ATTEMPTS = 6
CLINIC = Attachment(name="DATABASE", app_name="clinic", addon_id="db1", addon_name="pg-1", owner_app_name="clinic")
SOURCE = SecretStr("https://storage.example/canary-signed-link?sig=1")
ARCHIVE = SourceArchive(path="/nowhere/source.tgz", commit="c" * 40, sha256="5" * 64, size=1, files=())

READS: dict[str, Callable[[HerokuClient], Any]] = {
    "account": lambda c: HerokuPlatform(c).account(),
    "app": lambda c: HerokuPlatform(c).app("clinic"),
    "config_vars": lambda c: HerokuPlatform(c).config_vars("clinic"),
    "formation": lambda c: HerokuPlatform(c).formation("clinic"),
    "dynos": lambda c: HerokuPlatform(c).dynos("clinic"),
    "releases": lambda c: HerokuPlatform(c).releases("clinic"),
    "builds_pending": lambda c: HerokuPlatform(c).builds_pending("clinic"),
    "addons": lambda c: HerokuPlatform(c).addons("clinic"),
    "attachments": lambda c: HerokuPlatform(c).attachments("clinic"),
    "attachments_of": lambda c: HerokuPlatform(c).attachments_of("db1"),
    "belongings": lambda c: HerokuProvisioning(c).belongings("clinic"),
    "database": lambda c: HerokuPlatform(c).database("clinic"),
    "log_lines": lambda c: HerokuPlatform(c).log_lines("clinic"),
    "database_info": lambda c: HerokuBackups(c).database_info("db1"),
    "transfers": lambda c: HerokuBackups(c).transfers(CLINIC),
    "transfer": lambda c: HerokuBackups(c).transfer("clinic", "b001"),
    "public_url": lambda c: HerokuBackups(c).public_url("clinic", 1),
    "schedules": lambda c: HerokuBackups(c).schedules("db1"),
    "plans": lambda c: HerokuProvisioning(c).plans("heroku-postgresql"),
    "addon": lambda c: HerokuProvisioning(c).addon("clinic", "pg-1"),
    "buildpacks": lambda c: HerokuProvisioning(c).buildpacks("clinic"),
    "domains": lambda c: HerokuProvisioning(c).domains("clinic"),
    "collaborators": lambda c: HerokuProvisioning(c).collaborators("clinic"),
    "log_drains": lambda c: HerokuProvisioning(c).log_drains("clinic"),
    "release": lambda c: HerokuDeploys(c).release("clinic", "v7"),
    "release_output": lambda c: HerokuDeploys(c).release_output("clinic", "v7"),
    "builds": lambda c: HerokuDeploys(c).builds("clinic"),
    "build": lambda c: HerokuDeploys(c).build("clinic", "b1"),
}
WRITES: dict[str, Callable[[HerokuClient], Any]] = {
    "set_maintenance": lambda c: HerokuPlatform(c).set_maintenance("clinic", enabled=True),
    "resize": lambda c: HerokuPlatform(c).resize("clinic", {"worker": "Standard-1X"}),
    "scale": lambda c: HerokuPlatform(c).scale("clinic", {"worker": 0}),
    "stop_dyno": lambda c: HerokuPlatform(c).stop_dyno("clinic", "run.1"),
    "run_one_off": lambda c: HerokuPlatform(c).run_one_off("clinic", "true", time_limit=9, on_started=lambda _: None),
    "capture": lambda c: HerokuBackups(c).capture("db1"),
    "restore": lambda c: HerokuBackups(c).restore("db1", SOURCE),
    "cancel": lambda c: HerokuBackups(c).cancel("clinic", "t1"),
    "create_app": lambda c: HerokuProvisioning(c).create_app("clinic"),
    "create_addon": lambda c: HerokuProvisioning(c).create_addon("clinic", "heroku-redis:mini"),
    "set_buildpacks": lambda c: HerokuProvisioning(c).set_buildpacks("clinic", ["heroku/python"]),
    "set_config": lambda c: HerokuProvisioning(c).set_config("clinic", {"KEY": SOURCE}),
    "add_domain": lambda c: HerokuProvisioning(c).add_domain("clinic", "www.clinic.example"),
    "remove_domain": lambda c: HerokuProvisioning(c).remove_domain("clinic", "www.clinic.example"),
    "enable_certificates": lambda c: HerokuProvisioning(c).enable_certificates("clinic"),
    "add_collaborator": lambda c: HerokuProvisioning(c).add_collaborator("clinic", "x@clinic.example"),
    "add_log_drain": lambda c: HerokuProvisioning(c).add_log_drain("clinic", SOURCE),
    "schedule_backups": lambda c: HerokuProvisioning(c).schedule_backups("db1", "DB_URL", hour=2, timezone="UTC"),
    "rollback": lambda c: HerokuDeploys(c).rollback("clinic", "r1"),
    "start_build": lambda c: HerokuDeploys(c).start_build("clinic", ARCHIVE),
}
WHOLE = frozenset({"app", "log_lines", "release_output", "capture", "set_config"})
"""What every fault is tried on: an answer, a list in pages, a stream, and writes with and without a body."""
HTML = b"<html>canary-page postgres://u:canary-password@h/db</html>"

FAULTS: dict[str, Answer] = {
    "reset before the answer": reset,
    "closed without an answer": lambda connection: None,
    "no answer in time": silence,
    "reset inside the body": reset_in_body,
    "body cut short": answer(200, {"id": "x", "name": "canary-cut"}, cut=7),
    "not HTTP": lambda connection: connection.sendall(b"canary-garbage\r\n\r\n"),
    "500": answer(500, {"id": "internal", "message": "canary"}),
    "502": answer(502, HTML),
    "503 HTML": answer(503, HTML),
    "503 JSON": answer(
        503, {"id": "unavailable", "message": "Check the app in the dashboard, wait, then run the command again"}
    ),
    "200 HTML": answer(200, HTML),
    "200 empty": answer(200, b""),
    "200 truncated JSON": answer(200, b'{"uuid": "t1", "na'),
    "200 wrong types": answer(200, [1]),
    "200 nested without end": answer(200, b"[" * 100_000),
}


def told(error: BaseException) -> str:
    """All that any log or screen could show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize(("read", "fault"), cells(READS, [*FAULTS], WHOLE))
def test_a_read_is_asked_again_then_fails_with_nothing_in_doubt(
    read: str, fault: str, peer: StartPeer, connect: Connect, waits: list[float]
) -> None:
    server = peer(FAULTS[fault])
    with pytest.raises(ProviderError) as caught:
        READS[read](connect(server.url, silent_after=patience(FAULTS[fault])))
    assert not isinstance(caught.value, AnswerLost | NotFound | CredentialsRefused)
    assert len(server.requests) == ATTEMPTS
    assert len(waits) == ATTEMPTS - 1
    assert "canary" not in told(caught.value)
    assert caught.value.next_action


@pytest.mark.parametrize(
    ("write", "fault"),
    cells(sorted(WRITES.keys() - {"start_build"}), [*FAULTS], WHOLE),  # its first request may be lost
)
def test_a_write_that_may_have_arrived_is_sent_once_and_its_answer_is_lost(
    write: str, fault: str, peer: StartPeer, connect: Connect, waits: list[float]
) -> None:
    server = peer(FAULTS[fault])
    with pytest.raises(AnswerLost) as caught:
        WRITES[write](connect(server.url, silent_after=patience(FAULTS[fault])))
    assert len(server.requests) == 1
    assert waits == []
    assert "canary" not in told(caught.value)
    assert "Check" in caught.value.next_action


@pytest.mark.parametrize("call", READS | WRITES)
def test_a_refused_connection_is_tried_again_and_never_in_doubt(
    call: str, connect: Connect, waits: list[float]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ProviderError) as caught:
        (READS | WRITES)[call](connect(f"http://127.0.0.1:{port}"))
    assert not isinstance(caught.value, AnswerLost)
    assert caught.value.sent is False
    assert len(waits) == ATTEMPTS - 1
    assert "refused" in caught.value.why


def test_an_unknown_host_is_never_in_doubt(connect: Connect) -> None:
    with pytest.raises(ProviderError) as caught:
        HerokuBackups(connect("https://nowhere.invalid")).capture("db1")
    assert not isinstance(caught.value, AnswerLost)
    assert caught.value.sent is False


def test_a_server_that_does_not_speak_tls_never_got_the_write(
    peer: StartPeer, connect: Connect, waits: list[float]
) -> None:
    server = peer(answer(200, {}))
    with pytest.raises(ProviderError) as caught:
        HerokuBackups(connect(server.url.replace("http:", "https:"))).capture("db1")
    assert not isinstance(caught.value, AnswerLost)
    assert caught.value.sent is False
    assert len(waits) == ATTEMPTS - 1


REFUSALS = [
    (400, "bad_request", ProviderError),
    (401, "unauthorized", CredentialsRefused),
    (402, "delinquent", ProviderError),
    (403, "forbidden", CredentialsRefused),
    (403, "suspended", CredentialsRefused),
    (403, "two_factor", CredentialsRefused),
    (406, "not_acceptable", ProviderError),
    (409, "conflict", Conflict),
    (410, "gone", NotFound),
    (416, "requested_range_not_satisfiable", ProviderError),
    (422, "invalid_params", ProviderError),
    (422, "verification_needed", ProviderError),
    (422, "addon_error", ProviderError),
    (400, "addon_error", ProviderError),
    (423, "confirmation_required", Conflict),
]


@pytest.mark.parametrize(("status", "error_id", "kind"), REFUSALS)
@pytest.mark.parametrize("call", ["app", "capture", "restore", "scale"])
def test_a_refusal_is_final_and_says_what_to_do(
    call: str, status: int, error_id: str, kind: Any, peer: StartPeer, connect: Connect
) -> None:
    body = {"id": error_id, "message": f"No: {SOURCE.get_secret_value()} {CANARY} password=canary-word"}
    server = peer(answer(status, body, Request_Id="req-42"))
    with pytest.raises(ProviderError) as caught:
        (READS | WRITES)[call](connect(server.url))
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.error_id, error.request_id) == (status, error_id, "req-42")
    assert error.next_action
    assert "req-42" in error.why
    assert "canary" not in told(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("resource", "words"),
    [("app", "no such app"), ("add_on", "no such add-on"), ("add_on attachment", "no such add-on attachment")],
)
def test_what_is_missing_is_named_in_words(resource: str, words: str, peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(404, {"id": "not_found", "resource": resource, "message": "Couldn't find that."}))
    with pytest.raises(NotFound, match=words):
        HerokuBackups(connect(server.url)).capture("db1")


def test_an_invalid_token_says_how_to_get_a_new_one(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(401, {"id": "unauthorized", "message": "Invalid credentials provided."}))
    with pytest.raises(CredentialsRefused) as caught:
        HerokuPlatform(connect(server.url)).account()
    assert "heroku auth:token" in caught.value.next_action
    assert "HEROKU_API_KEY" in caught.value.next_action
    assert "Invalid credentials provided." in caught.value.why


@pytest.mark.parametrize("call", [*READS, *WRITES])
def test_a_refused_rate_is_waited_for_by_reads_and_writes_alike(
    call: str, peer: StartPeer, connect: Connect, waits: list[float]
) -> None:
    server = peer(answer(429, {"id": "rate_limit", "message": "slow"}, RateLimit_Remaining="0", Retry_After="7"))
    with pytest.raises(RateLimited) as caught:
        (READS | WRITES)[call](connect(server.url))
    assert caught.value.retry_after == 7
    assert "0 requests remain" in caught.value.why
    assert len(server.requests) == ATTEMPTS
    assert all(wait >= 7 for wait in waits)


def test_a_write_refused_for_its_rate_is_sent_again_and_succeeds(
    peer: StartPeer, connect: Connect, waits: list[float]
) -> None:
    good = answer(201, {"uuid": "t1", "num": 1, "from_type": "pg_dump", "to_type": "gof3r", "created_at": "2026-01-01"})
    server = peer(answer(429, b"<html>slow down</html>"), good)
    assert HerokuBackups(connect(server.url)).capture("db1").name == "b001"
    assert len(server.requests) == 2
    assert waits[0] >= 4


@pytest.mark.parametrize("header", ["²", "9" * 400, "-1", "soon"])
def test_headers_that_hold_no_number_are_passed_over(
    header: str, peer: StartPeer, connect: Connect, waits: list[float]
) -> None:
    """`"²".isdigit()` is true, and `int("²")` fails."""
    limited = answer(429, {"id": "rate_limit"}, Retry_After=header, RateLimit_Remaining=header)
    server = peer(limited, answer(200, {"email": "o@example.org"}, RateLimit_Remaining=header))
    client = connect(server.url)
    assert HerokuPlatform(client).account().email == "o@example.org"
    assert client.rate_remaining is None
    assert len(waits) == 1
    assert 4 <= waits[0] <= 15.5


def test_a_wait_longer_than_the_limit_is_not_begun(peer: StartPeer, connect: Connect, waits: list[float]) -> None:
    server = peer(answer(429, {"id": "rate_limit"}, Retry_After="3600"))
    with pytest.raises(RateLimited) as caught:
        HerokuPlatform(connect(server.url)).account()
    assert (caught.value.retry_after, waits, len(server.requests)) == (3600, [], 1)


def test_a_read_recovers_from_a_fault_and_tells_of_the_wait(peer: StartPeer, connect: Connect) -> None:
    heard: list[Wait] = []
    server = peer(answer(503, HTML), reset, answer(200, {"email": "o@example.org"}, RateLimit_Remaining="4321"))
    client = connect(server.url, on_wait=heard.append)
    assert HerokuPlatform(client).account().email == "o@example.org"
    assert [(wait.attempt, wait.attempts) for wait in heard] == [(1, 6), (2, 6)]
    assert all(wait.reason and wait.seconds > 0 for wait in heard)
    assert client.rate_remaining == 4321


def test_the_operator_interrupts_a_wait(peer: StartPeer, connect: Connect) -> None:
    stop = threading.Event()
    stop.set()
    server = peer(answer(503, HTML))
    with pytest.raises(Interrupted):
        HerokuPlatform(connect(server.url, stop=stop, sleep=None)).account()
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_the_token(status: int, peer: StartPeer, connect: Connect) -> None:
    elsewhere = peer(answer(200, {"email": "thief@example.org"}))
    server = peer(answer(status, b"", Location=f"{elsewhere.url}/account"))
    with pytest.raises(ProviderError, match="did not follow"):
        HerokuPlatform(connect(server.url)).account()
    assert elsewhere.requests == []


@pytest.mark.parametrize("status", [302, 404, 408, 422])
def test_a_gateways_page_in_answer_to_a_write_is_no_refusal_by_heroku(
    status: int, peer: StartPeer, connect: Connect
) -> None:
    server = peer(answer(status, HTML))
    with pytest.raises(AnswerLost):
        HerokuBackups(connect(server.url)).capture("db1")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410])
def test_a_gateways_page_in_answer_to_a_read_says_nothing_of_what_is_there(
    status: int, peer: StartPeer, connect: Connect
) -> None:
    server = peer(answer(status, HTML))
    with pytest.raises(ProviderError, match="failed when asked") as caught:
        HerokuPlatform(connect(server.url)).app("clinic")
    assert not isinstance(caught.value, NotFound | Conflict | CredentialsRefused)
    assert "a web page" in caught.value.why
    assert len(server.requests) == 1


def test_a_read_timeout_in_a_dripping_body_ends(
    peer: StartPeer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from uscdr.providers.http import exchange

    monkeypatch.setattr(exchange, "ANSWER_BYTES", 1000)
    server = peer(answer(200, b'"' + b"x" * 5000 + b'"'))
    with pytest.raises(ProviderError):
        HerokuPlatform(connect(server.url)).account()


def test_a_read_that_is_answered_without_a_body_told_nothing(peer: StartPeer, connect: Connect) -> None:
    """Not: there are no config vars."""
    server = peer(*[answer(204)] * 6)
    with pytest.raises(ProviderError, match="sent an unexpected answer when asked to"):
        HerokuPlatform(connect(server.url)).config_vars("clinic")


def test_a_list_that_is_cut_and_tells_no_next_page_is_not_whole(peer: StartPeer, connect: Connect) -> None:
    server = peer(*[answer(206, [])] * 6)
    with pytest.raises(ProviderError, match="sent an unexpected answer when asked to") as caught:
        HerokuPlatform(connect(server.url)).addons("clinic")
    assert "the list is incomplete and does not name its next page" in caught.value.why


@pytest.mark.parametrize(
    "address", ["http://[::1", "https://", "rendezvous://x/y", "https://a\u0000b/", "//clinic.example/"]
)
def test_an_address_in_an_answer_that_is_none(address: str, peer: StartPeer, connect: Connect) -> None:
    app = {"id": "a1", "name": "clinic", "maintenance": False, "web_url": address}
    server = peer(*[answer(200, app)] * 6)
    with pytest.raises(ProviderError, match="sent an unexpected answer when asked to") as caught:
        HerokuPlatform(connect(server.url)).app("clinic")
    assert "`web_url` is not an address" in caught.value.why


@pytest.mark.parametrize(
    "body", [b'{"A": "\\ud800"}', b'{"\\udc00": "a"}', b'{"A": "\xed\xa0\x80"}', b'{"A": NaN}', b'{"A": ' + b"[" * 9000]
)
def test_what_can_be_written_nowhere_is_no_answer(body: bytes, peer: StartPeer, connect: Connect) -> None:
    server = peer(*[answer(200, body)] * 6)
    with pytest.raises(ProviderError, match="sent an unexpected answer when asked to"):
        HerokuPlatform(connect(server.url)).config_vars("clinic")


def test_a_whole_pair_is_text(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(200, b'{"A": "\\ud83d\\ude00 \xed\x95\x9c"}'))
    assert HerokuPlatform(connect(server.url)).config_vars("clinic")["A"].get_secret_value() == "😀 한"


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ümlaut"])
def test_a_token_that_cannot_be_one_is_refused_before_anything_is_sent(token: str) -> None:
    with pytest.raises(CredentialsRefused) as caught:
        HerokuClient("https://a.example", "https://b.example", SecretStr(token), read_only=True)
    assert not token or token not in told(caught.value)


def test_the_token_never_travels_in_clear_text(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="https"):
        connect("http://api.heroku.example")
    with pytest.raises(ConfigError, match="data API"):
        connect("https://api.heroku.com", "http://api.data.heroku.com:5000")


def test_an_unreadable_ca_file_is_a_configuration_error(connect: Connect, tmp_path: Path) -> None:
    bad = tmp_path / "ca.pem"
    bad.write_text("not a certificate")
    for path in (bad, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match="PEM"):
            connect(ca_file=path)


@pytest.mark.parametrize("name", ["", ".", "..", " app"])
def test_a_name_that_would_address_something_else_is_refused(name: str, connect: Connect) -> None:
    with pytest.raises(BadInput):
        HerokuPlatform(connect()).app(name)


def test_text_that_is_no_text_is_an_unreadable_answer(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(200, b'{"email": "canary\\ud800"}'))
    with pytest.raises(ProviderError, match="sent an unexpected answer when asked to") as caught:
        HerokuPlatform(connect(server.url)).account()
    assert "canary" not in told(caught.value)


def test_an_error_id_that_is_none_is_not_repeated(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(422, {"id": "canary secret!", "message": "x"}))
    with pytest.raises(ProviderError) as caught:
        HerokuPlatform(connect(server.url)).account()
    assert caught.value.error_id == "invalid_params"


def test_a_write_never_rides_on_a_kept_connection(peer: StartPeer, connect: Connect) -> None:
    """The server here closes each connection after its answer without saying so, as idle ones are closed."""

    def unannounced(connection: socket.socket) -> None:
        body = b'{"uuid": "t1"}'
        connection.sendall(b"HTTP/1.1 201 X\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    backups = HerokuBackups(connect(peer(unannounced).url))
    for _ in range(3):
        assert backups.capture("db1").id == "t1"
