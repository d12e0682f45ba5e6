"""The channels that are files, and Apprise: once each, private or public as they must be, and silent about secrets."""

from __future__ import annotations

import json
import logging
import stat
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from test_webhook_channel import Endpoint, running

from uscdr.errors import AnswerLost, CredentialsRefused, MachineError, MissingExtra, WriteRefused
from uscdr.providers.notices.apprise import AppriseChannel
from uscdr.providers.notices.outbox import OutboxChannel, StatusFileChannel
from uscdr.providers.ports.notices import Letter

LETTER = Letter("inc1-team-1", "USC-PIS is down", "First line\nSecond \x1b[31mline", "major")
TO = "ann.planted@patients.example"


def test_the_outbox_keeps_each_letter_once_and_no_address(tmp_path: Path) -> None:
    outbox = OutboxChannel(tmp_path / "outbox" / "inc1")
    receipt = outbox.send(LETTER, TO)
    assert receipt == "inc1/inc1-team-1.txt"
    path = tmp_path / "outbox" / receipt
    assert path.read_text() == "USC-PIS is down\n\nFirst line\nSecond \\x1b[31mline\n"
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    before = path.stat().st_mtime_ns
    assert outbox.send(LETTER) == receipt
    assert (path.stat().st_mtime_ns, len(list(path.parent.iterdir()))) == (before, 1)


def test_an_outbox_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(MachineError):
        OutboxChannel(tmp_path / "outbox" / "inc1").send(LETTER)


def test_the_status_page_is_replaced_and_everybody_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    page = StatusFileChannel(path)
    assert page.send(LETTER) == "status.json"
    shown = json.loads(path.read_text())
    assert (shown["id"], shown["subject"], shown["severity"]) == (LETTER.id, LETTER.subject, "major")
    assert shown["updated_at"].endswith("+00:00")
    assert "Second" in (tmp_path / "status.txt").read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    before = path.stat().st_ino
    page.send(LETTER)
    assert path.stat().st_ino == before, "the same letter is not written twice"
    page.send(Letter("inc1-team-2", "USC-PIS is back", "All works."))
    assert json.loads(path.read_text())["subject"] == "USC-PIS is back"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["status.json", "status.txt"]


def test_a_page_whose_directory_is_missing_or_content_is_foreign(tmp_path: Path) -> None:
    with pytest.raises(MachineError):
        StatusFileChannel(tmp_path / "missing" / "status.json").send(LETTER)
    (tmp_path / "status.json").write_text("[1")
    StatusFileChannel(tmp_path / "status.json").send(LETTER)
    assert json.loads((tmp_path / "status.json").read_text())["id"] == LETTER.id


def test_a_drill_leaves_the_real_page_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    StatusFileChannel(state / "status.json", within=state).send(LETTER)
    for path in (tmp_path / "status.json", state / ".." / "status.json"):
        with pytest.raises(WriteRefused):
            StatusFileChannel(path, within=state)


def test_apprise_hands_it_on_and_says_no_address(capfd: pytest.CaptureFixture[str]) -> None:
    with running(Endpoint()) as endpoint:
        url = endpoint.url.partition("?")[0].replace("http://", "json://")
        channel = AppriseChannel(SecretStr(url), loopback_only=True)
        assert channel.send(LETTER) == "taken"
        assert endpoint.heard[0][2]["title"] == LETTER.subject
        endpoint.answers = [(500, {}, b"")]
        with pytest.raises(AnswerLost) as raised:
            channel.send(LETTER)
    assert "planted" not in f"{raised.value.reason} {raised.value!r}"
    assert capfd.readouterr() == ("", "")


def test_apprise_stays_off_the_screens(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(CredentialsRefused) as raised:
        AppriseChannel(SecretStr("nonsense://planted-token"))
    assert "planted" not in f"{raised.value.reason} {raised.value!r} {caplog.text}"
    with pytest.raises(CredentialsRefused):
        AppriseChannel(SecretStr("  "))


@pytest.mark.parametrize(
    "url", ["json://chat.example/planted", "slack://planted/b/c", "mailto://u:planted@localhost", "x"]
)
def test_apprise_leads_nowhere_else_in_a_drill(url: str) -> None:
    with pytest.raises(WriteRefused) as raised:
        AppriseChannel(SecretStr(url), loopback_only=True)
    assert "planted" not in raised.value.reason


def test_apprise_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(MissingExtra, match="not installed"):
        AppriseChannel(SecretStr("json://localhost"))
