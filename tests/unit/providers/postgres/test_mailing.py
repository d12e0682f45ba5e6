"""Addresses by the operator's query, from a real server: read-only, one column, and no value in an error."""

from __future__ import annotations

from typing import Any

import pytest

from uscdr.errors import BadInput, ProviderError, UscdrError
from uscdr.providers.postgres import mailing

QUERY = "SELECT email FROM account WHERE is_active ORDER BY id"


@pytest.fixture
def kept(new_database: Any) -> Any:
    clinic = new_database()
    clinic.run("CREATE TABLE account (id serial, email text, is_active bool)")
    clinic.run(
        "INSERT INTO account (email, is_active) VALUES ('ann.planted@x.example', true), (NULL, true), ('', true), "
        "('bob.planted@x.example', true), ('gone.planted@x.example', false)"
    )
    return clinic


def test_one_column_of_text(kept: Any) -> None:
    assert kept.adapter().mail_addresses(QUERY) == ("ann.planted@x.example", "bob.planted@x.example")


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("SELECT id, email FROM account", BadInput),
        ("SELECT id FROM account", BadInput),
        ("SELECT email FROM accounts", ProviderError),
        ("SELECT email::int::text FROM account WHERE id = 1", ProviderError),
        ("SELECT 'x'; SELECT email FROM account", ProviderError),
        ("DELETE FROM account RETURNING email", ProviderError),
        ("UPDATE account SET is_active = false RETURNING email", ProviderError),
    ],
)
def test_anything_else_is_refused_without_a_value(kept: Any, query: str, kind: type[UscdrError]) -> None:
    with pytest.raises(kind) as raised:
        kept.adapter().mail_addresses(query)
    assert "planted" not in f"{raised.value.message} {raised.value.why} {raised.value.next_action} {raised.value!r}"
    assert len(kept.adapter().mail_addresses(QUERY)) == 2, "nothing was changed"


def test_too_many_are_refused(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailing, "MOST", 3)
    with pytest.raises(BadInput, match="more than 3 rows"):
        kept.adapter().mail_addresses("SELECT email FROM account")
