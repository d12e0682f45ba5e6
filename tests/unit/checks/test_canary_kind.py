"""A check that writes takes back what it wrote, and says what it could not take back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from pydantic import SecretStr, ValidationError

from uscdr.checks.context import CheckContext
from uscdr.checks.kinds.canary import MARK, CanaryCheck
from uscdr.checks.kinds.http import SessionCheck
from uscdr.checks.verdict import Finding
from uscdr.errors import AnswerLost, ProviderError
from uscdr.models.probes import Sending, WebAnswer

SPEC = {
    "kind": "canary", "path": "/files/", "upload": "file", "fetch": "file", "remove": "/files/{id}/",
    "leftovers": {"path": "/files/", "name": "name"},
}  # fmt: skip


@dataclass
class Files:
    """A small application that keeps files."""

    files: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    spoil: bool = False
    refuse_removal: int = 0
    lose: bool = False
    cut_removal: bool = False
    called: str = "id"
    """The field of the id in every answer."""
    sent: list[Sending] = field(default_factory=list)

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: SecretStr | None = None,
        json_body: Mapping[str, object] | None = None,
        empty_form: bool = False,
        once: bool = False,
    ) -> WebAnswer:
        assert token is not None
        listed = [{self.called: key, "name": name} for key, (name, _) in self.files.items()]
        return WebAnswer(status=200, body=json.dumps(listed).encode())

    def fetch(self, address: str) -> WebAnswer:
        return WebAnswer(status=200, body=b"other" if self.spoil else self.files[int(address.strip("/"))][1])

    def sign_in(self, email: str, password: SecretStr) -> SecretStr:
        raise AssertionError("not asked for")

    def send(self, sending: Sending, token: SecretStr) -> WebAnswer:
        if sending.method == "DELETE":
            if self.cut_removal:
                raise ProviderError("The connection was cut.", provider="application")
            if self.refuse_removal:
                return WebAnswer(status=self.refuse_removal)
            gone = self.files.pop(int(sending.path.strip("/").partition("/")[2]), None)
            return WebAnswer(status=204 if gone else 404)
        self.sent.append(sending)
        key = max(self.files, default=0) + 1
        self.files[key] = (sending.file_name, sending.content)
        if self.lose:
            raise AnswerLost("Whether it was stored is not known.", provider="application")
        return WebAnswer(status=201, body=json.dumps({self.called: key, "file": f"/{key}/"}).encode())


class _World:
    def __init__(self, site: object, token: str | None = "token-token") -> None:
        self.writable = (lambda: site) if site else None
        self.token = lambda: SecretStr(token) if token else None
        self.account_email = "check@clinic.example"
        self.sign_in = lambda: SecretStr("fresh-token")


def canary(site: Files | None, **more: Any) -> Finding:
    spec = CanaryCheck.model_validate({**SPEC, **more})
    return spec.run("canary", cast("CheckContext", _World(site)))


def test_it_is_made_looked_at_and_removed() -> None:
    site = Files({1: ("report.pdf", b"a")})
    assert canary(site).verdict == "pass"
    assert site.files == {1: ("report.pdf", b"a")}


def test_without_permission_nothing_is_sent() -> None:
    assert canary(None).verdict == "not checked"


def test_a_picture_is_a_whole_one_and_another_each_time() -> None:
    site = Files()
    for _ in range(2):
        assert canary(site, content="image", form={"description": "made by {mark}"}).verdict == "pass"
    first, second = site.sent
    assert (first.content_type, first.file_name[-4:]) == ("image/png", ".png")
    assert first.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert first.content.endswith(b"IEND\xaeB`\x82")
    assert first.content != second.content
    assert first.form == {"description": f"made by {first.file_name.removesuffix('.png')}"}


def test_the_answer_and_the_list_may_call_the_id_otherwise() -> None:
    site = Files({7: (f"{MARK}00.txt", b"b")}, called="file_id")
    named = {"id": "file_id", "leftovers": {"path": "/files/", "name": "name", "id": "file_id"}}
    finding = canary(site, **named)
    assert finding.verdict == "pass", finding.evidence
    assert "1 left by an earlier check removed" in finding.evidence
    assert site.files == {}


def test_an_id_that_is_not_read_is_a_failure_that_names_what_is_left() -> None:
    site = Files(called="file_id")
    finding = canary(site)
    assert finding.verdict == "fail"
    assert MARK in finding.evidence
    assert "by hand" in finding.evidence
    assert len(site.files) == 1


def test_another_content_fails_and_is_removed_all_the_same() -> None:
    site = Files(spoil=True)
    assert canary(site).verdict == "fail"
    assert site.files == {}


@pytest.mark.parametrize("trouble", [{"refuse_removal": 500}, {"cut_removal": True}])
def test_what_could_not_be_removed_is_named(trouble: dict[str, Any]) -> None:
    site = Files(**trouble)
    finding = canary(site, fetch=None)
    assert finding.verdict == "fail"
    assert MARK in finding.evidence
    assert "DELETE /files/1/" in finding.evidence


def test_a_lost_answer_is_no_verdict_and_the_next_check_cleans_up() -> None:
    site = Files({7: ("report.pdf", b"a")}, lose=True)
    first = canary(site)
    assert first.verdict == "inconclusive"
    assert len(site.files) == 2
    site.lose = False
    second = canary(site)
    assert second.verdict == "pass"
    assert "1 left by an earlier check removed" in second.evidence
    assert site.files == {7: ("report.pdf", b"a")}


def test_only_what_bears_the_mark_is_swept() -> None:
    site = Files({1: ("notes uscdr-canary-x.txt", b"a"), 2: (f"{MARK}00.txt", b"b")})
    canary(site)
    assert list(site.files) == [1]


@pytest.mark.parametrize(
    "wrong", [{"upload": None}, {"json_body": {"a": 1}}, {"remove": "/files/"}, {"path": "files"}, {"unknown": 1}]
)
def test_what_could_not_be_taken_back_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CanaryCheck.model_validate({**SPEC, **wrong})


class Sessions(Files):
    """An application with one account and one token."""

    alive = True

    def ask(self, method: str, path: str, **more: Any) -> WebAnswer:
        return WebAnswer(status=200 if self.alive else 401)

    def send(self, sending: Sending, token: SecretStr) -> WebAnswer:
        self.alive = False
        return WebAnswer(status=200)


@pytest.mark.parametrize(("given", "logged_out"), [("another-token", True), ("fresh-token", False)])
def test_a_token_that_is_in_use_elsewhere_is_not_ended(given: str, *, logged_out: bool) -> None:
    site = Sessions()
    world = _World(site, given)
    finding = SessionCheck(kind="session").run("session", cast("CheckContext", world))
    assert finding.verdict == "pass"
    assert site.alive is not logged_out
