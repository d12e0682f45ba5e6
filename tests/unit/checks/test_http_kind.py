"""A status alone proves nothing, and a body is never quoted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from uscdr.checks.kinds.http import HttpCheck, _ask
from uscdr.models.probes import WebAnswer

PATIENT = b"Ada Lovelace"


class Site:
    """Answers in turn."""

    def __init__(self, *answers: WebAnswer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, bool]] = []
        self.empty_forms = 0

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
        self.asked.append((method, path, token is not None))
        self.empty_forms += empty_form
        return self.answers.pop(0)

    def fetch(self, address: str) -> WebAnswer:
        self.asked.append(("GET", address, False))
        return self.answers.pop(0)

    def sign_in(self, email: str, password: SecretStr) -> SecretStr:
        raise AssertionError("not asked for")


def verdict(check: dict[str, Any], *answers: tuple[int, bytes]) -> tuple[str, str, Site]:
    site = Site(*(WebAnswer(status=status, body=body) for status, body in answers))
    finding = _ask(site, HttpCheck.model_validate({"kind": "http", "path": "/x/", **check}), SecretStr("token"))
    assert PATIENT.decode() not in finding.evidence
    return finding.verdict, finding.evidence, site


@pytest.mark.parametrize(
    ("check", "answer", "wanted"),
    [
        ({}, (200, b""), "pass"),
        ({}, (201, b""), "fail"),
        ({}, (503, PATIENT), "fail"),
        ({"below": 500}, (404, b""), "pass"),
        ({"below": 500}, (500, b""), "fail"),
        ({"contains": ['id="root"']}, (200, b'<div id="root">'), "pass"),
        ({"contains": ['id="root"']}, (200, PATIENT), "fail"),
        ({"starts_with": "%PDF-"}, (200, b"%PDF-1.7 " + PATIENT), "pass"),
        ({"starts_with": "%PDF-"}, (200, b" %PDF-1.7"), "fail"),
        ({"json": {"role": {"exists": True}}}, (200, b'{"role": ""}'), "pass"),
        ({"json": {"role": {"exists": True}}}, (200, b'{"role": null}'), "fail"),
        ({"json": {"role": {"exists": True}}}, (200, b'["role"]'), "fail"),
        ({"json": {"role": {"exists": True}}}, (200, b"<html>role</html>"), "fail"),
        *(
            ({"json": {"role": {"filled": True}}}, (200, f'{{"role": {value}}}'.encode()), verdict)
            for value, verdict in (
                ('"STAFF"', "pass"),
                ("0", "pass"),
                ("false", "pass"),
                ("[0]", "pass"),
                ("null", "fail"),
                ('""', "fail"),
                ("[]", "fail"),
                ("{}", "fail"),
            )
        ),
        ({"json": {"role": {"filled": True}}}, (200, b"{}"), "fail"),
        ({"json": {"l.*.n": {"filled": True}}}, (200, b'{"l": [{"n": null}, {"n": 1}]}'), "pass"),
        ({"method": "POST", "status": 401}, (401, b""), "pass"),
        ({"method": "POST", "status": 401}, (200, b'{"token": 1}'), "fail"),
        ({"method": "POST", "status": 401}, (500, b""), "fail"),
    ],
)
def test_one_request(check: dict[str, Any], answer: tuple[int, bytes], wanted: str) -> None:
    found, evidence, _ = verdict(check, answer)
    assert (found, "/x/" in evidence) == (wanted, True)


FOLLOW = {"follow": "/x/{id}/pdf/", "starts_with": "%PDF-"}


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        ([(200, b'{"results": [{"id": 7}]}'), (200, b"%PDF-1.4")], "pass"),
        ([(200, b'[{"id": "a7"}]'), (200, b"%PDF-1.4")], "pass"),
        ([(200, b'[{"id": 7}]'), (200, b"<html>")], "fail"),
        ([(200, b'[{"id": 7}]'), (500, b"")], "fail"),
        ([(200, b"[]")], "inconclusive"),
        ([(200, b'{"results": []}')], "inconclusive"),
        ([(200, b'{"results": null}')], "inconclusive"),
        ([(200, b'[{"name": 1}]')], "inconclusive"),
        ([(200, b'["x"]')], "inconclusive"),
        ([(200, b"no json")], "inconclusive"),
        ([(404, b"[]")], "fail"),
    ],
)
def test_the_first_item_is_followed(answers: list[tuple[int, bytes]], wanted: str) -> None:
    found, _, site = verdict(FOLLOW, *answers)
    assert found == wanted
    assert all(token for _, _, token in site.asked)


def test_the_path_of_the_item_is_asked_for() -> None:
    _, _, site = verdict({"follow": "/x/{id}/pdf/"}, (200, b'[{"id": 7}]'), (200, b"anything"))
    assert site.asked == [("GET", "/x/", True), ("GET", "/x/7/pdf/", True)]


def test_the_item_may_call_its_id_otherwise() -> None:
    check = {"follow": "/x/{id}/", "id": "number"}
    _, _, site = verdict(check, (200, b'{"results": [{"id": 7, "number": 9}]}'), (200, b"anything"))
    assert site.asked[1][1] == "/x/9/"


def test_an_empty_multipart_form_is_sent_as_one() -> None:
    form = {"method": "POST", "status": 400, "multipart_body": {}, "json": {"detail": {"filled": True}}}
    found, _, site = verdict(form, (400, b'{"detail": "No file provided"}'))
    assert (found, site.empty_forms) == ("pass", 1)
    assert verdict(form, (500, b'{"detail": "x"}'))[0] == "fail"
    assert verdict({**form, "multipart_body": None, "json_body": {}}, (400, b'{"detail": 1}'))[2].empty_forms == 0


@pytest.mark.parametrize(
    "check",
    [
        {"method": "POST", "status": 400, "multipart_body": {"file": "x"}},
        {"method": "POST", "status": 400, "multipart_body": {}, "json_body": {}},
        {"multipart_body": {}},
        {"limit": {"times": 5, "within": "15m"}},
        {"method": "POST", "status": 400, "json_body": {}, "limit": {"times": 1, "within": "15m"}},
    ],
)
def test_what_could_write_or_means_nothing_is_refused(check: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpCheck.model_validate({"kind": "http", "path": "/x/", **check})
