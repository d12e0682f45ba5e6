"""`uscdr incident` as people call it: a mail server and a chat on loopback, and a clock that the test sets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

from kit_world import Workshop
from scripted_mail import CUT, Script, serving
from uscdr import clock
from uscdr.cli import main
from uscdr.commands.incident_desk import IncidentDesk
from uscdr.commands.incident_follow import RunFollower, joined, reminder
from uscdr.commands.incident_notices import NoticeDesk
from uscdr.commands.notice_sender import NoticeSender, SenderOptions
from uscdr.engine.wait import Stop
from uscdr.journal.writer import JournalWriter
from uscdr.models import events as ev
from uscdr.scenarios.adapters import Request
from uscdr.ui.console import Output
from uscdr.wiring.target import Target
from uscdr.wiring.targets import Targets

Captured = pytest.CaptureFixture[str]
T0 = datetime(2026, 11, 28, 2, 50, tzinfo=UTC)
CANARIES = ("Ana Cruz is patient 10442", "diagnosed with asthma", "ghp_abcdefghij0123456789", "ana.cruz@x.example")


class Chat:
    """What a webhook got, and its answers (status, headers) by turn; the last one stays."""

    def __init__(self) -> None:
        self.posts: list[dict[str, object]] = []
        self.answers: list[tuple[int, dict[str, str]]] = [(200, {})]
        self.url = self.platform = ""


@contextmanager
def chatting(chat: Chat) -> Iterator[Chat]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = chat.answers.pop(0) if len(chat.answers) > 1 else chat.answers[0]
            if status == 200:
                chat.posts.append(json.loads(body))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "2"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"ok")

        def do_GET(self) -> None:
            """The platform's config variables: none is set."""
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        chat.platform = f"http://127.0.0.1:{server.server_address[1]}"
        chat.url = f"http://127.0.0.1:{server.server_address[1]}/hook/planted-secret"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield chat
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def web_space(directory: Path) -> Iterator[str]:
    """A web server of the operator's own for that directory; its address."""
    directory.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class World:
    """One operator's machine."""

    def __init__(self, root: Path, mail: Script, chat: Chat, capsys: Captured) -> None:
        self.mail, self.chat, self._capsys = mail, chat, capsys
        self.at = T0
        self.state = root / "state"
        self.err = ""

    def call(self, *arguments: str, code: int = 0) -> str:
        """What the command printed; stderr is in `err`."""
        found = main.run(["incident", *arguments])
        shown = self._capsys.readouterr()
        self.err = shown.err
        assert found == code, f"{found}: {shown.err}"
        return shown.out

    def drill(self, *arguments: str, code: int = 0) -> str:
        """The same of `uscdr drill`."""
        found = main.run(["drill", *arguments])
        shown = self._capsys.readouterr()
        self.err = shown.err
        assert found == code, f"{found}: {shown.err}"
        return shown.out

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)

    def mails(self) -> list[tuple[str, str, str]]:
        """Recipient, subject and text of every mail that was accepted."""
        found = [message_from_bytes(one, policy=policy.default) for one in self.mail.messages]
        return [(str(one["To"]), str(one["Subject"]), one.get_content()) for one in found]

    def everything(self) -> str:
        """All that left this machine or was kept on it."""
        kept = b"".join(path.read_bytes() for path in self.state.rglob("*") if path.is_file())
        return f"{kept!r} {self.chat.posts} {self.mail.messages}"


CONFIG = """
communication:
  contact: the nurse on duty, +63 32 555 0142
  channels:
    mail:
      {{kind: smtp, audience: [team, users], server: "127.0.0.1:{mail}", security: none, sender: status@clinic.example}}
    chat: {{kind: webhook, form: json, audience: team, url_from: USCDR_CHAT_URL}}
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Iterator[World]:
    shop = Workshop(tmp_path / "shop")
    config = tmp_path / "config" / "uscdr"
    config.mkdir(parents=True)
    with serving(Script()) as mail, chatting(Chat()) as chat:
        packaged = (Path(__file__).parents[3] / "scenarios.yaml").read_text()
        packaged = packaged.replace("heroku: {app: usc-pis}", f'heroku: {{app: usc-pis, api_url: "{chat.platform}"}}')
        before, _, rest = packaged.partition("communication:\n")
        after = rest[rest.index("# What follows the restoration.") :]
        (config / "scenarios.yaml").write_text(before + CONFIG.format(mail=mail.port) + after)
        for name in ("USCDR_CONFIG", "USCDR_TARGET", "USCDR_SHARED"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {
            "HEROKU_API_KEY": "planted-heroku-key", "USCDR_CHAT_URL": chat.url,
            "USCDR_STATE_DIR": str(tmp_path / "state"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"), "USCDR_KIT_RECIPIENTS": shop.public,
            "USCDR_AGE_IDENTITY": str(shop.identity_file), "USCDR_OPERATOR": "ada",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        found = World(tmp_path, mail, chat, capsys)
        monkeypatch.setattr(clock, "system_time", lambda: found.at)
        for group, people in {"team": ("ben@clinic.example",), "users": ("u1@x.example", "u2@x.example")}.items():
            (tmp_path / f"{group}.txt").write_text("\n".join(people))
            found.call("audience", "import", "--from", f"{group}.txt", "--group", group)
        yield found


def opened(world: World) -> None:
    world.call("open", "--since", "02:10", "--what", "the database is damaged", "--lead", "Ada")


def test_the_clock_of_notices_from_the_detection_to_the_restoration(world: World) -> None:
    opened(world)
    assert "down for 40 min from the outage, 2026-11-28 02:10 UTC; RTO 2 h: 1 h 20 min left" in world.call("status")
    assert world.call("check") == "Nothing is overdue.\n"
    world.pass_by(minutes=16)
    assert "first notice to the team overdue for 1 min" in world.call("check", code=1)
    world.call("update", "--expected", "03:25-03:40")
    world.call("notify", "--send")
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example", "u1@x.example", "u2@x.example"]
    assert len(world.chat.posts) == 1
    internal, users, _ = world.mails()
    assert internal[1] == "[critical] usc-pis is down: the database is damaged"
    assert "Expected back: 2026-11-28 03:25 to 03:40 UTC" in users[2]
    assert "the nurse on duty" in users[2]
    assert "database" not in users[2]
    world.pass_by(minutes=24)
    world.call("notify", "--send")
    assert "No notice is due now: update to the team due in 6 min" in world.err
    world.pass_by(minutes=7)
    assert "update to the team overdue for 1 min" in world.call("check", code=1)
    world.call("notify", "--send", "--message", "The restore runs.")
    assert [subject for _, subject, _ in world.mails()[3:]] == [
        "[update] usc-pis is still down: the database is damaged", *["usc-pis is still unavailable"] * 2,
    ]  # fmt: skip
    world.call("resolve", "--summary", "a disk of the platform failed")
    world.pass_by(minutes=10)
    world.call("notify", "--send")
    *_, last = world.mails()
    assert last[1] == "usc-pis is available again"
    assert "We apologise" in last[2]
    assert "a disk of the platform failed" in last[2]
    world.call("notify", "--send")
    assert (len(world.mails()), len(world.chat.posts)) == (9, 3)
    assert "Due:" not in world.call("status")


def test_a_text_is_shown_and_not_sent_without_a_confirmation(world: World) -> None:
    opened(world)
    shown = world.call("notify", code=4)
    assert "Subject: [critical] usc-pis is down" in shown
    assert "uscdr incident notify --send" in world.err
    assert "Subject:" in world.call("notify", "--show")
    world.call("notify", "--stage", "update", "--to", "users", code=4)
    assert "uscdr incident notify --send --stage update --to users" in world.err
    assert world.mails() == []


def test_showing_sends_nothing_of_what_waits(world: World) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.chat.answers = [(200, {})]
    world.call("notify", "--show", "--stage", "update", "--to", "internal")
    assert world.chat.posts == []


def test_no_notice_says_that_service_is_back_before_it_is_recorded_nor_down_after_it(world: World) -> None:
    opened(world)
    for how in (("--send",), ("--show",), ("--by-hand", "by telephone")):
        world.call("notify", "--stage", "completion", *how, code=2)
        assert "uscdr incident resolve" in world.err
    world.call("resolve")
    for stage in ("first", "update"):
        world.call("notify", "--stage", stage, "--send", code=2)
        assert "--down-again" in world.err
    assert (world.mails(), world.chat.posts) == ([], [])
    world.call("notify", "--stage", "completion", "--send")
    assert len(world.mails()) == 3


def test_what_was_told_by_hand_concerns_everybody_unless_a_group_is_named(world: World) -> None:
    opened(world)
    world.call("notify", "--by-hand", "called", "--send", code=2)
    assert "sends and shows nothing" in world.err
    world.call("notify", "--stage", "first", "--by-hand", "called")
    assert "first notice" not in world.call("status").replace("Told (first", "")


def test_long_and_unprintable_words_do_not_keep_a_notice_from_people(world: World) -> None:
    what = "the disk of the database \x1b[31mfails\x07 " + "again and " * 60
    world.call("open", "--what", what)
    world.call("notify", "--send")
    (subject,) = {subject for _, subject, _ in world.mails() if "is down" in subject}
    assert len(subject) <= 200
    assert subject.endswith("…")
    assert "the disk of the database [31mfails again and again" in world.mails()[0][2].replace("\n", " ")
    world.call("actions", "--add", "Within 24 h: alert\n# on \x1b[31mfull disks")
    assert "alert # on [31mfull disks" in world.call("actions")


def test_an_incident_is_no_duplicate_of_itself_nor_of_a_drill(world: World, tmp_path: Path) -> None:
    with_contacts(tmp_path)
    opened(world)
    this = json.loads(world.call("status", "--json"))["incident"]
    world.call("close", "--duplicate-of", this, code=2)
    assert "no duplicate of itself" in world.err
    world.drill("comms", code=1)
    (other,) = {line.split()[0] for line in world.call("list").splitlines()} - {this}
    world.call("close", "--duplicate-of", other, code=2)
    assert "another target" in world.err
    assert "(down, " in world.call("status")


def test_two_incidents_do_not_close_each_other(world: World) -> None:
    opened(world)
    first = json.loads(world.call("status", "--json"))["incident"]
    world.call("resolve")
    world.call("open", "--what", "the same again")
    second = json.loads(world.call("status", "--json"))["incident"]
    world.call("close", "--incident", first, "--duplicate-of", second)
    world.call("close", "--incident", second, "--duplicate-of", first, code=2)
    assert "closed, and it was not finished" in world.err


def test_that_service_is_back_is_not_sent_late_while_it_is_down_again(world: World) -> None:
    opened(world)
    world.call("resolve")
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.chat.answers = [(200, {})]
    world.call("update", "--down-again", "errors again")
    world.call("status")
    assert world.chat.posts == []
    world.call("resolve")
    world.call("notify", "--send", "--to", "internal")
    assert world.chat.posts


def test_an_outage_does_not_begin_after_it_was_detected(world: World) -> None:
    opened(world)
    world.pass_by(minutes=10)
    world.call("update", "--since", "02:55", code=2)
    assert "after it was detected, 2026-11-28 02:50 UTC" in world.err


def test_a_change_of_actions_without_an_action_or_with_one_twice_is_refused(world: World) -> None:
    opened(world)
    world.call("resolve")
    world.call("actions", "--owner", "Ben", code=2)
    world.call("actions", "--done", "a1", "--drop", "a1", "--evidence", "seen", code=2)
    assert "named twice" in world.err
    world.call("actions", "--assign", "a1", "--owner", "Ben")


@pytest.mark.parametrize("canary", CANARIES)
def test_patients_data_and_secrets_do_not_leave_in_notes_messages_and_templates(world: World, canary: str) -> None:
    opened(world)
    for command in (
        ("note", canary), ("notify", "--send", "--message", canary), ("notify", "--send", "--summary", canary),
        ("notify", "--by-hand", canary), ("update", "--what", canary), ("resolve", "--summary", canary),
        ("review", "--answer", f"lessons={canary}"), ("actions", "--add", canary),
    ):  # fmt: skip
        world.call(*command, code=2)
        assert canary not in world.err
    templates = Path("config/uscdr/templates")
    templates.mkdir()
    (templates / "internal-first.txt.j2").write_text(f"Subject: down\n\n{canary}\n")
    world.call("notify", "--send", "--to", "internal", code=2)
    assert canary not in world.everything()
    assert "planted" not in world.everything()


def test_what_is_not_accepted_waits_and_what_is_refused_is_said(world: World) -> None:
    opened(world)
    world.chat.answers = [(429, {"Retry-After": "120"}), (200, {})]
    world.mail.replies["RCPT"] = ["250 ok", "550 no such user", "250 ok"]
    world.call("notify", "--send", code=3)
    assert "waits for chat" in world.err
    assert "mail refused 1 address for good" in world.err
    world.call("notify", "--send", code=3)
    assert world.chat.posts == []
    world.pass_by(minutes=3)
    world.call("notify", "--send")
    assert len(world.chat.posts) == 1
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example", "u2@x.example"]


@pytest.mark.parametrize("command", [("status",), ("note", "the platform answers"), ("check",)])
def test_the_next_command_sends_what_waits(world: World, command: tuple[str, ...]) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    assert world.chat.posts == []
    world.chat.answers = [(200, {})]
    world.call(*command)
    assert len(world.chat.posts) == 1
    world.call("status")
    assert len(world.chat.posts) == 1


def test_that_service_is_down_is_not_said_any_more_once_it_is_restored(world: World) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.chat.answers = [(200, {})]
    world.call("resolve")
    world.call("status")
    assert world.chat.posts == []
    world.call("notify", "--send", "--to", "internal")
    assert ["restored" in str(one) for one in world.chat.posts] == [True]


def test_a_newer_text_takes_the_place_of_one_that_waits(world: World) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.chat.answers = [(200, {})]
    world.call("notify", "--send", "--to", "internal", "--stage", "update")
    assert len(world.chat.posts) == 1


def test_a_check_says_what_is_true_after_what_waited_was_sent(world: World) -> None:
    opened(world)
    world.chat.answers = [(400, {})]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.pass_by(minutes=16)
    world.chat.answers = [(200, {})]
    world.call("notify", "--by-hand", "called", "--to", "users")
    assert world.call("check", code=0) == "Nothing is overdue.\n"


def test_a_lost_answer_is_named_asked_and_not_repeated(world: World) -> None:
    opened(world)
    world.mail.replies["."] = [CUT]
    world.call("notify", "--send", "--to", "internal", code=3)
    assert "IN DOUBT: notice n1 may have arrived over mail" in world.err
    assert "uscdr incident settle n1 mail sent (or: not-sent)" in world.call("status")
    assert "notice n1 may have arrived over mail" in world.call("check", code=1)
    world.mail.replies["."] = ["250 ok"]
    world.call("notify", "--send", "--to", "internal")
    assert len(world.mail.messages) == 1
    world.call("settle", "n1", "mail", "not-sent")
    world.call("notify", "--send", "--to", "internal")
    assert len(world.mail.messages) == 2
    world.call("settle", "n1", "mail", "sent", code=1)


def test_without_a_list_the_notice_says_where_one_comes_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(world)
    monkeypatch.delenv("USCDR_AGE_IDENTITY")
    for path in Path("config/uscdr").glob("audience*"):
        path.unlink()
    world.call("notify", "--send", "--to", "internal", code=3)
    assert "There is no list of recipients" in world.err
    assert "uscdr incident audience import" in world.err


def test_without_the_key_of_the_list_chats_still_hear_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(world)
    key = Path(str(world.state.parent / "shop" / "identity.txt"))
    monkeypatch.delenv("USCDR_AGE_IDENTITY")
    world.call("notify", "--send", "--to", "internal", code=3)
    assert "--identity FILE" in world.err
    assert (len(world.chat.posts), world.mails()) == (1, [])
    found = next(path for path in (key, *world.state.parent.rglob("*.txt")) if b"AGE-SECRET" in path.read_bytes())
    world.call("notify", "--send", "--to", "internal", "--identity", str(found))
    assert (len(world.chat.posts), len(world.mails())) == (1, 1)


def test_closing_is_refused_with_the_list_until_all_is_answered(world: World) -> None:
    opened(world)
    world.call("close", code=1)
    assert "service is not restored" in world.err
    world.call("resolve")
    for stage in ("completion",):
        world.call("notify", "--send", "--stage", stage)
    world.call("close", code=1)
    left = [line for line in world.err.splitlines() if "is open" in line or "no answer" in line]
    actions = [json.loads(line)["action"] for line in world.call("actions", "--json").splitlines()]
    questions = [json.loads(line)["question"] for line in world.call("review", "--json").splitlines()]
    assert len(left) == len(actions) + len(questions)
    world.call("actions", *[part for one in actions[1:] for part in ("--done", one)], "--evidence", "seen by Ada")
    world.call("actions", "--drop", actions[0], code=2)
    world.call("actions", "--drop", actions[0], "--evidence", "a rehearsal only")
    world.call("review", *[part for one in questions[1:] for part in ("--answer", f"{one}=told in the meeting")])
    world.call("close", code=1)
    world.call("review", "--waive", f"{questions[0]}=nothing was found")
    world.call("close")
    assert "closed" in world.call("list")
    world.call("status", code=2)


def test_an_overdue_action_is_shown_and_fails_the_check(world: World) -> None:
    opened(world)
    world.call("resolve")
    world.call("notify", "--send")
    world.pass_by(hours=23)
    assert world.call("check") == "Nothing is overdue.\n"
    world.pass_by(hours=2)
    assert "nobody owns it" in world.call("check", code=1)
    assert "OVERDUE" in world.call("actions")


def test_one_incident_at_a_time_and_wrong_input_is_refused(world: World) -> None:
    world.call("status", code=2)
    world.call("open", "--what", "x", "--severity", "huge", code=2)
    world.call("open", "--what", "x", "--since", "2026-11-28T03:00", code=2)
    opened(world)
    world.call("open", "--what", "again", code=2)
    assert "is open on this target" in world.err
    for wrong in (("notify", "--to", "all"), ("notify", "--stage", "last"), ("settle", "n1", "chat", "maybe"),
                  ("update",), ("update", "--expected", "02:10-02:20:99"), ("update", "--expected", "40m ago"),
                  ("actions", "--done", "a9"),
                  ("review", "--answer", "nothing=x"), ("status", "nothing")):  # fmt: skip
        world.call(*wrong, code=2)
        assert "Traceback" not in world.err


def test_down_again_reopens_the_clock(world: World) -> None:
    opened(world)
    world.call("notify", "--send")
    world.call("resolve")
    world.call("notify", "--send")
    world.pass_by(minutes=5)
    assert "(down, " in world.call("update", "--down-again", "errors again")
    world.pass_by(minutes=26)
    assert "update to the team overdue" in world.call("check", code=1)


def test_the_maintenance_page_shows_each_notice_to_users_and_then_goes_back(world: World, tmp_path: Path) -> None:
    config = tmp_path / "config" / "uscdr" / "scenarios.yaml"
    with web_space(tmp_path / "web") as address:
        settings = f'maintenance_page: {{url: "{address}/down.html", to: {tmp_path}/web/down.html, cache_seconds: 0}}\n'
        config.write_text(config.read_text() + settings)
        page = tmp_path / "web" / "down.html"
        opened(world)
        world.call("notify", "--send", "--to", "internal")
        assert not page.exists()
        world.call("update", "--expected", "03:25-03:40")
        world.call("notify", "--send", "--to", "users")
        assert "is temporarily unavailable" in page.read_text()
        assert "03:25" in page.read_text()
        world.pass_by(minutes=31)
        world.call("notify", "--send", "--to", "users", "--message", "A disk is replaced.")
        assert "A disk is replaced." in page.read_text()
        world.call("resolve")
        assert "unavailable" not in page.read_text()
        assert "A disk" not in page.read_text()
        normal = page.read_text()
        world.call("notify", "--send")
        assert page.read_text() == normal


CONTACTS = """contacts:
  - {role: System Administrator, name: Ada Reyes, how: +63 32 555 0101}
  - {role: Database Administrator, name: Ben Cruz, how: +63 32 555 0102}
  - {role: Network Administrator}
"""


def with_contacts(root: Path) -> None:
    config = root / "config" / "uscdr" / "scenarios.yaml"
    before, _, rest = config.read_text().partition("contacts:\n")
    config.write_text(before + CONTACTS + rest[rest.index("\n#") :])


def test_a_drill_of_the_notices_stays_here_and_is_recorded_once_everybody_acknowledged(
    world: World, tmp_path: Path
) -> None:
    world.drill("comms", code=2)
    with_contacts(tmp_path)
    shown = world.drill("comms", "--ack", "Ada Reyes=4", code=1)
    assert shown.count("Subject: [DRILL] ") == 6
    assert "1 of 2 contacts acknowledged: Ada Reyes after 4 min" in shown
    assert "Ben Cruz did not acknowledge" in world.err
    assert "Ben Cruz acknowledged after more than 15 min" in (
        world.drill("comms", "--ack", "Ada Reyes", "--ack", "Ben Cruz=16", code=1) + world.err
    )
    world.drill("comms", "--ack", "Nobody", code=2)
    assert "communication-review" in world.drill("due", code=1)
    world.drill("comms", "--ack", "Ada Reyes=4", "--ack", "Ben Cruz=9")
    assert "2 of 2 contacts" in world.drill("list")
    line = next(one for one in world.drill("due", code=1).splitlines() if "communication-review" in one)
    assert "done" in line
    world.call("status", code=2)
    assert "closed" in world.call("list")


def test_opening_names_what_is_not_ready(world: World) -> None:
    opened(world)
    assert "Finding: " in world.err
    assert "contacts" in world.err
    assert "2025-11-14" in world.err
    assert "MAINTENANCE_PAGE_URL" in world.err


def test_a_new_outage_opens_a_new_incident_beside_one_that_is_only_followed_up(world: World) -> None:
    opened(world)
    first = json.loads(world.call("status", "--json"))["incident"]
    world.call("resolve")
    world.pass_by(days=2)
    world.call("open", "--what", "errors of another kind")
    second = json.loads(world.call("status", "--json"))
    assert second["incident"] != first
    assert second["down_seconds"] < 60
    world.call("resolve")
    assert json.loads(world.call("status", "--json"))["incident"] == second["incident"]
    assert json.loads(world.call("status", first, "--json"))["state"] == "restored"


RUN = "20261128T025000Z-db-4f2a9c"


def found_target() -> Target:
    return Targets(lambda _: None).find()


def stamped(number: int, event: ev.Payload, at: datetime) -> ev.Stamped:
    return ev.Stamped(run=RUN, seq=number, at=at, mono=float(number), event=event)


def recovery(
    world: World, *, outcome: Literal["done", "failed"] = "done", checked: bool = True, scenario: str = "db"
) -> list[ev.Stamped]:  # fmt: skip
    """The events of a recovery that opened the application again after 20 minutes, and its checks two minutes later."""
    steps = tuple(
        ev.PlannedStep(id=name, title=name, phase="p", effect=effect, action="change", summary="", name=kind,
                       params={"enabled": False} if name == "maintenance_off" else {})
        for name, effect, kind in (
            ("maintenance_off", "idempotent", "heroku.maintenance"), ("check", "read", "app.check"),
        )
    )  # fmt: skip
    begun = ev.RunStarted(
        scenario=scenario, target="production", app="usc-pis", request={}, version="0", user="ada", host="here",
        scenario_digest="d", rto_seconds=7200, rpo_seconds=14400, outage_at=None,
    )  # fmt: skip
    timed: list[tuple[float, ev.Payload]] = [
        (0, begun), (1, ev.PlanReady(digest="d", dry_run=False, steps=steps, budgets={"p": 60.0})),
        (2, ev.StepStarted(step="maintenance_off", title="Open", phase="p", effect="idempotent")),
        (20, ev.StepSucceeded(step="maintenance_off", seconds=1, summary="open")),
        (21, ev.StepStarted(step="check", title="Check", phase="p", effect="read", name="app.check")),
        *([(22, ev.StepSucceeded(step="check", seconds=1, summary="ok", name="app.check"))] if checked else []),
        (23, ev.RunFinished(outcome=outcome, exit_code=int(outcome != "done"), summary="ended",
                            follow_up=("Within 24 h: tell the clinic.",))),
    ]  # fmt: skip
    return [stamped(number, event, world.at + timedelta(minutes=minutes))
            for number, (minutes, event) in enumerate(timed)]  # fmt: skip


def followed(
    world: World, request: Request, *, outcome: Literal["done", "failed"] = "done", checked: bool = True
) -> RunFollower:  # fmt: skip
    """A follower that has seen a whole recovery."""
    desk = IncidentDesk(found_target(), Output(quiet=True))
    follower = RunFollower(desk, RUN, request, "Database corruption or loss", None)
    journal = JournalWriter.create(world.state / "runs" / RUN) if not (world.state / "runs" / RUN).exists() else None
    for event in recovery(world, outcome=outcome, checked=checked, scenario=request.scenario):
        if journal is not None:
            journal.record(event)
        follower(event)
    return follower


def test_a_recovery_opens_an_incident_with_its_first_change_and_resolves_it(world: World) -> None:
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    assert request.incident
    assert not (world.state / "incidents").exists()
    followed(world, request)
    found = json.loads(world.call("status", "--json"))
    assert (found["incident"], found["state"]) == (request.incident, "restored")
    assert found["runs"] == [RUN]
    assert found["restored_at"] == str(T0 + timedelta(minutes=20))
    assert "tell the clinic." in world.call("actions")


def test_service_that_was_proven_back_is_restored_also_if_an_objective_was_missed(world: World) -> None:
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    followed(world, request, outcome="failed")
    assert json.loads(world.call("status", "--json"))["state"] == "restored"


def test_without_its_last_checks_a_recovery_restores_nothing(world: World) -> None:
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    followed(world, request, outcome="failed", checked=False)
    assert json.loads(world.call("status", "--json"))["state"] == "down"


def test_the_recovery_of_a_part_ends_only_the_outage_that_it_opened(world: World, capsys: Captured) -> None:
    opened(world)
    followed(world, joined(found_target(), Output(quiet=True), Request("media"), dry_run=False))
    assert "If it is: uscdr incident resolve" in capsys.readouterr().err
    assert json.loads(world.call("status", "--json"))["state"] == "down"


def test_the_recovery_of_a_part_ends_the_outage_that_it_opened(world: World) -> None:
    followed(world, joined(found_target(), Output(quiet=True), Request("media"), dry_run=False))
    assert json.loads(world.call("status", "--json"))["state"] == "restored"


def test_a_recovery_joins_the_open_incident_and_its_outage(world: World) -> None:
    opened(world)
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    assert request.since == "2026-11-28T02:10:00+00:00"
    followed(world, request)
    assert len(list((world.state / "incidents").iterdir())) == 1
    dry = joined(found_target(), Output(quiet=True), Request("backups"), dry_run=True)
    assert (dry.incident, dry.since) == (request.incident, None), "restored: its outage is over"
    world.pass_by(days=2)
    later = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    assert later.incident not in ("", request.incident)
    assert joined(found_target(), Output(quiet=True), Request("dns"), dry_run=False).incident == ""
    assert joined(found_target(), Output(quiet=True), Request("db"), dry_run=True).incident == ""


def test_a_second_recovery_of_the_outage_says_that_service_is_down_again(world: World) -> None:
    opened(world)
    world.call("notify", "--send")
    world.call("resolve")
    world.call("notify", "--send")
    world.pass_by(minutes=40)
    request = joined(found_target(), Output(quiet=True), Request("app"), dry_run=False)
    follower = RunFollower(IncidentDesk(found_target(), Output(quiet=True)), RUN, request, "x", None)
    for event in recovery(world, scenario="app")[:3]:
        follower(event)
    status = world.call("status")
    assert "(down, " in status
    assert f"Service is down again: the recovery {RUN} began" in status
    assert "update to users" in status


def test_a_journal_that_cannot_be_written_is_a_warning_and_no_end_of_a_recovery(world: World, capsys: Captured) -> None:
    world.state.mkdir(exist_ok=True)
    (world.state / "incidents").write_text("not a directory")
    request = Request("db", incident="20261128T025000Z-incident-4f2a9c")
    follower = followed(world, request)
    assert "The incident is not up to date" in capsys.readouterr().err
    assert follower.reminders(T0) == []


def test_a_running_recovery_reminds_of_what_is_due(world: World) -> None:
    opened(world)
    request = joined(found_target(), Output(quiet=True), Request("db"), dry_run=False)
    desk = IncidentDesk(found_target(), Output(quiet=True))
    follower = RunFollower(desk, RUN, request, "x", None)
    assert follower.reminders(T0) == []
    for event in recovery(world)[:3]:
        follower(event)
    (line,) = follower.reminders(T0 + timedelta(minutes=16))
    assert line.startswith("first notice to the team overdue for 1 min; first notice to users overdue for 1 min.")
    assert line.endswith("In another terminal: uscdr incident notify")


@pytest.mark.parametrize("editor", ["", "'", " "])
def test_without_an_editor_or_a_terminal_for_it_the_review_says_how_to_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, editor: str
) -> None:
    opened(world)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    world.call("review", "--editor", code=2)
    assert "uscdr incident review --answer ID=TEXT" in world.err


def test_the_review_is_written_in_an_editor(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(world)
    editor = tmp_path / "editor.sh"
    editor.write_text("#!/bin/sh\nsed -i '/^## lessons:/a Alert on failed\\nbackups.' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    world.call("review", "--editor")
    told = {one["question"]: one["answer"] for one in map(json.loads, world.call("review", "--json").splitlines())}
    assert told["lessons"] == "Alert on failed backups."
    assert [name for name, answer in told.items() if answer] == ["lessons"]
    editor.write_text("#!/bin/sh\nexit 3\n")
    world.call("review", "--editor", code=3)
    assert "--answer ID=TEXT" in world.err


def test_the_impact_is_part_of_notices_and_report(world: World) -> None:
    opened(world)
    assert "Impact: critical infrastructure (healthcare operations" in world.call(
        "notify", "--show", "--to", "internal"
    )
    assert "healthcare operations" in world.call("report")


def test_what_a_full_hour_left_over_is_sent_later(world: World, tmp_path: Path) -> None:
    config = tmp_path / "config" / "uscdr" / "scenarios.yaml"
    config.write_text(config.read_text().replace("security: none,", "security: none, per_hour: 1, batch: 1,"))
    opened(world)
    world.call("notify", "--send", "--to", "users", code=3)
    assert "The limit of messages in an hour is reached" in world.err
    assert [to for to, _, _ in world.mails()] == ["u1@x.example"]
    world.call("status")
    assert len(world.mails()) == 1
    world.pass_by(minutes=61)
    world.call("status")
    assert [to for to, _, _ in world.mails()] == ["u1@x.example", "u2@x.example"]
    world.pass_by(minutes=61)
    world.call("status")
    assert len(world.mails()) == 2


def test_a_list_with_another_key_sends_nothing_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(world)
    world.mail.replies["RCPT"] = ["250 ok", "451 later"]
    world.call("notify", "--send", "--to", "users", code=3)
    assert len(world.mails()) == 1
    for name in ("audience.age", "audience.json"):
        (tmp_path / "config" / "uscdr" / name).unlink()
    world.call("audience", "import", "--from", "users.txt", "--group", "users")
    world.mail.replies["RCPT"] = ["250 ok"]
    world.call("notify", "--send", "--to", "users", code=3)
    assert "cannot tell who got the notice" in world.err
    assert len(world.mails()) == 1


def sender(world: World, *, composes: bool) -> NoticeSender:
    found = json.loads(world.call("status", "--json"))
    return NoticeSender(found_target(), Output(), found["incident"], Stop(), SenderOptions(composes))


def test_a_recovery_may_send_what_is_due_and_at_its_end_the_restoration(world: World, capsys: Captured) -> None:
    opened(world)
    with sender(world, composes=True) as beside:
        assert beside.options.composes
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example", "u1@x.example", "u2@x.example"]
    assert len(world.chat.posts) == 1
    assert "accepted" in capsys.readouterr().err
    world.pass_by(minutes=20)
    world.call("resolve")
    with sender(world, composes=True):
        """A run that ended at once."""
    assert len(world.mails()) == 6
    assert "available again" in world.mails()[-1][1]
    with sender(world, composes=True):
        """Nothing is due."""
    assert len(world.mails()) == 6


def test_a_recovery_tries_again_what_waits_and_writes_nothing_without_leave(world: World, capsys: Captured) -> None:
    opened(world)
    world.mail.replies["RCPT"] = ["451 later"]
    world.call("notify", "--send", "--to", "internal", code=3)
    world.mail.replies["RCPT"] = ["250 ok"]
    with sender(world, composes=False):
        """Looks at the incident at its end."""
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example"], "users were not told: nobody confirmed it"


def test_what_the_sender_could_not_send_is_said_on_the_screen_and_at_the_end(world: World, capsys: Captured) -> None:
    opened(world)
    world.mail.replies["RCPT"] = ["451 later"]
    with sender(world, composes=True) as beside:
        """Looks at the incident at its end."""
    assert any("waits for mail" in line for line in beside.reminders())
    assert "waits for mail" in capsys.readouterr().err


def test_a_run_that_the_operator_stopped_sends_no_more(world: World, capsys: Captured) -> None:
    opened(world)
    with sender(world, composes=True) as beside:
        beside.stop.event.set()
    assert world.mails() == []
    assert world.chat.posts == []


def test_a_notice_that_somebody_else_wrote_meanwhile_is_not_written_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one operator reads the text, another confirms the same notice in another terminal."""
    opened(world)
    shown = NoticeDesk._show

    def slowly(desk: NoticeDesk, *told: Any) -> None:
        monkeypatch.setattr(NoticeDesk, "_show", shown)
        main.run(["incident", "notify", "--send", "--to", "internal", "--stage", "first"])
        shown(desk, *told)

    monkeypatch.setattr(NoticeDesk, "_show", slowly)
    world.call("notify", "--send", "--to", "internal", "--stage", "first")
    assert "Somebody else wrote the first notice to the team meanwhile. uscdr sent nothing." in world.err
    assert [to for to, _, _ in world.mails()] == ["ben@clinic.example"]
    assert len(world.chat.posts) == 1


def test_a_notice_that_no_channel_carries_is_written_once_and_said(world: World, tmp_path: Path) -> None:
    config = tmp_path / "config" / "uscdr" / "scenarios.yaml"
    before, _, rest = config.read_text().partition("  channels:\n")
    config.write_text(before + rest[rest.index("# What follows the restoration.") :])
    opened(world)
    beside = sender(world, composes=True)
    for _ in range(3):
        beside._look()
    assert len(list((world.state / "outbox").rglob("*.txt"))) == 2, "one for the team and one for users"
    assert any("No channel reaches the team" in line for line in beside.reminders())


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("30 min-45 min", "2026-11-28 03:20 to 03:35 UTC"), ("1h", "2026-11-28 03:50 UTC"),
        ("23:50-00:10", "2026-11-28 23:50 UTC to 2026-11-29 00:10 UTC"), ("2026-11-28T03:30Z", "2026-11-28 03:30 UTC"),
    ],
)  # fmt: skip
def test_when_service_is_expected_back_may_be_typed_as_people_say_it(world: World, typed: str, shown: str) -> None:
    opened(world)
    world.call("update", "--expected", typed)
    assert f"Expected back: {shown}" in world.call("status")


def test_a_damaged_incident_is_shown_as_far_as_it_can_be_read_and_a_new_one_can_be_opened(world: World) -> None:
    opened(world)
    world.call("note", "the last line that can be read")
    world.call("note", "another one")
    (path,) = (world.state / "incidents").glob("*/journal.jsonl")
    path.write_bytes(path.read_bytes().replace(b"another", b"ANOTHER"))
    assert "the last line that can be read" in world.call("status", path.parent.name, code=3)
    assert "is damaged at line 3" in world.err
    world.call("status", code=3)
    assert "is damaged at line 3" in world.call("check", code=1)
    world.call("list")
    assert "is damaged at line 3" in world.err
    world.call("open", "--what", "the database is damaged")
    assert "It is kept, and a new incident is opened." in world.err
    new = json.loads(world.call("status", "--json"))["incident"]
    assert new != path.parent.name
    assert joined(found_target(), Output(quiet=True), Request("db"), dry_run=False).incident == new


def test_a_recovery_beside_a_damaged_incident_opens_its_own(world: World) -> None:
    opened(world)
    (path,) = (world.state / "incidents").glob("*/journal.jsonl")
    path.write_bytes(path.read_bytes().replace(b"damaged", b"DAMAGED"))
    assert "is damaged at line 1" in reminder(found_target())
    assert joined(found_target(), Output(quiet=True), Request("db"), dry_run=False).incident != path.parent.name


def test_two_times_of_one_outage_are_named(world: World, capsys: Captured) -> None:
    opened(world)
    asked = Request("db", since="2026-11-28T01:50:00+00:00")
    assert joined(found_target(), Output(), asked, dry_run=False).since == asked.since
    told = capsys.readouterr().err
    assert "says that the outage began 2026-11-28 02:10 UTC; this run counts from 2026-11-28 01:50 UTC" in told
    joined(found_target(), Output(), Request("db", since="2026-11-28T02:10:20+00:00"), dry_run=False)
    assert capsys.readouterr().err == ""


def test_what_people_change_stands_in_the_timeline_and_long_notes_are_cut_in_the_status(world: World) -> None:
    opened(world)
    world.call("update", "--severity", "major", "--lead", "Ben", "--expected", "45m", "--since", "02:00")
    world.call("note", "a long word " * 40)
    status = world.call("status")
    for line in (
        "Severity: major",
        "Lead: Ben",
        "Service expected back by 2026-11-28 03:35 UTC",
        "… (whole in the report)",
    ):
        assert line in status
    assert "Since when is known: the outage began 2026-11-28 02:00 UTC" in status


def test_a_question_is_answered_or_waived_and_once(world: World) -> None:
    opened(world)
    world.call("review", "--answer", "cause=a disk", "--waive", "cause=nobody knows", code=2)
    assert "You answer or waive cause twice." in world.err
    assert "OPEN" in world.call("review")
