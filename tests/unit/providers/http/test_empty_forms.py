"""A client that only reads sends empty forms to named paths, and nothing else by POST."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from refusing_form import Form, served
from uscdr.errors import WriteRefused
from uscdr.models.probes import Sending
from uscdr.providers.probes.website import ApplicationWebsite

TOKEN = SecretStr("token-token")


def site(form: Form, *paths: str, read_only: bool = True) -> ApplicationWebsite:
    return ApplicationWebsite(form.address, read_only=read_only, empty_posts=frozenset(paths))


@pytest.mark.parametrize(
    ("sent", "kind", "body"),
    [
        ({"json_body": {}}, "application/json", b"{}"),
        ({"empty_form": True}, "multipart/form-data; boundary=uscdr-empty-form", b"--uscdr-empty-form--\r\n"),
    ],
)
def test_an_empty_form_goes_to_a_named_path(sent: dict[str, Any], kind: str, body: bytes) -> None:
    with served() as form:
        assert site(form, "/form/").ask("POST", "/form/", token=TOKEN, **sent).status == 400
    assert form.received == [("/form/", kind, body)]


@pytest.mark.parametrize("sent", [{"json_body": {}}, {"empty_form": True}, {"json_body": {"a": 1}}])
def test_nothing_goes_anywhere_else(sent: dict[str, Any]) -> None:
    with served() as form, pytest.raises(WriteRefused):
        site(form, "/other/").ask("POST", "/form/", token=TOKEN, **sent)
    assert form.received == []


def test_a_form_with_something_in_it_is_refused_at_a_named_path() -> None:
    with served() as form, pytest.raises(WriteRefused):
        site(form, "/form/").ask("POST", "/form/", json_body={"email": "a"})
    assert form.received == []


def test_a_file_goes_with_its_type_and_the_fields_beside_it() -> None:
    sending = Sending(
        method="POST", path="/form/", field="file", form={"description": "a mark"}, file_name="a.png",
        content_type="image/png", content=b"\x89PNG",
    )  # fmt: skip
    with served() as form:
        site(form, read_only=False).send(sending, TOKEN)
    ((_, kind, body),) = form.received
    assert kind.startswith("multipart/form-data; boundary=")
    assert b'name="description"\r\n\r\na mark\r\n' in body
    assert b'name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n' in body
