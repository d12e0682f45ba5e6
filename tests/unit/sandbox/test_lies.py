"""Answers that say what is not so: each changes the one thing that it is called after."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from uscdr.sandbox.faults import lies
from uscdr.sandbox.faults.rules import valid_kind


def transfer(number: int, *, age: float = 0.0, **facts: object) -> dict[str, Any]:
    made = datetime.now(UTC) - timedelta(seconds=age)
    told = {"uuid": f"t{number}", "num": number, "created_at": f"{made:%Y-%m-%d %H:%M:%S} +0000"}
    return {**told, "finished_at": "then", "succeeded": True, "processed_bytes": 9, **facts}


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_list_that_lags_leaves_out_what_is_new() -> None:
    told = json.loads(lies.lagging(encoded([transfer(1, age=600), transfer(2)]), 30.0))
    assert [one["num"] for one in told] == [1]


def test_another_things_answer_comes_back() -> None:
    memory = lies.Memory()
    memory.keep(encoded([transfer(1), {"id": "app", "name": "clinic"}]))
    assert json.loads(memory.another(encoded(transfer(2))))["uuid"] == "t1"
    assert json.loads(memory.another(encoded(transfer(1))))["uuid"] == "t1"


def test_an_end_that_is_not_told_and_one_that_is_taken_back() -> None:
    assert json.loads(lies.untold(encoded(transfer(1))))["succeeded"] is None
    back = json.loads(lies.backwards(encoded([transfer(1)])))[0]
    assert (back["finished_at"], back["processed_bytes"]) == (None, 1)


def test_pages_without_end_have_another_name_each_time() -> None:
    first, second = (lies.endless(encoded({"resources": []}))[0] for _ in range(2))
    assert json.loads(first)["next_cursor"] != json.loads(second)["next_cursor"]
    assert lies.endless(b"[]")[1]["next-range"] != lies.endless(b"[]")[1]["next-range"]
    assert json.loads(lies.endless(encoded({"result_info": {"total_pages": 1}}))[0])["result_info"]["total_pages"] > 100


def test_kinds_with_seconds_take_a_number_and_nothing_else() -> None:
    assert valid_kind("late:12")
    assert valid_kind("lags:0.5")
    assert not valid_kind("late:\u00b2")
    assert not valid_kind("late")
