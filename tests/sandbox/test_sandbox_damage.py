"""`break db`: real damage, told truthfully."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from live_sandbox import Live
from uscdr.errors import BadInput


@pytest.fixture
def whole(live: Live) -> Iterator[Live]:
    """Restores the first state afterwards."""
    backup = live.capture()
    yield live
    assert live.restore(backup["to_url"])["succeeded"]


def _broken(live: Live, how: str) -> list[dict[str, Any]]:
    return list(live.control("POST", "break", {"how": how, "app": live.app})["damage"])


def _count(live: Live, table: str) -> int:
    return int(live.sql(f"SELECT count(*) FROM {table}")[0][0])


def test_the_table_that_others_need_is_dropped(whole: Live) -> None:
    done = _broken(whole, "drop-table")
    assert [one["table"] for one in done] == ["clients"]
    with pytest.raises(psycopg.errors.UndefinedTable):
        _count(whole, "clients")
    assert _count(whole, "visits") == 300


def test_rows_go_past_the_foreign_keys(whole: Live) -> None:
    done = {one["table"]: one for one in _broken(whole, "delete-rows")}
    assert (done["clients"]["rows_before"], done["clients"]["rows_after"]) == (300, 200)
    assert _count(whole, "clients") == 200
    orphans = "SELECT count(*) FROM visits v LEFT JOIN clients c ON c.id = v.client_id WHERE c.id IS NULL"
    assert int(whole.sql(orphans)[0][0]) > 0
    assert _count(whole, "visits") == 200


def test_truncation_takes_the_dependants_too(whole: Live) -> None:
    assert {one["table"] for one in _broken(whole, "truncate")} == {"clients", "visits"}
    assert (_count(whole, "clients"), _count(whole, "visits")) == (0, 0)


def test_text_becomes_garbage_and_keys_stay(whole: Live) -> None:
    before = dict(whole.sql("SELECT id, name FROM clients"))
    done = {one["table"]: one["rows_changed"] for one in _broken(whole, "scramble-text")}
    after = dict(whole.sql("SELECT id, name FROM clients"))
    assert before.keys() == after.keys()
    assert sum(before[key] != after[key] for key in before) == done["clients"] == 100


def test_a_foreign_load_adds_rows_under_new_keys(whole: Live) -> None:
    done = {one["table"]: one for one in _broken(whole, "wrong-data-load")}
    assert done["clients"]["rows_after"] == 600 == _count(whole, "clients")
    assert whole.sql("SELECT count(DISTINCT name) FROM clients") == [(300,)]


def test_what_cannot_be_meant_is_refused(live: Live) -> None:
    with pytest.raises(BadInput, match="how must be one of"):
        _broken(live, "gently")
    with pytest.raises(BadInput, match="find that app"):
        live.control("POST", "break", {"how": "truncate", "app": "nobody"})
