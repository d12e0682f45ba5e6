"""Whether, whose and how old a backup is, by what the platform says of it alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from uscdr.models.transfers import Transfer, TransferKind, Transfers, TransferState, Whose

AT = datetime(2026, 11, 23, 3, tzinfo=UTC)


def transfer(number: int = 1, **facts: Any) -> Transfer:
    usual: dict[str, Any] = {
        "id": f"id-{number}", "num": number, "name": f"b{number:03d}", "kind": TransferKind.MANUAL_BACKUP,
        "state": TransferState.COMPLETED, "created_at": AT, "whose": Whose.OURS, "processed_bytes": 5, "num_keep": 2,
    }  # fmt: skip
    return Transfer(**(usual | facts))


BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({"expired": True}, "expired"),
    ({"state": TransferState.FAILED}, "failed"),
    ({"state": TransferState.RUNNING}, "not finished"),
    ({"state": TransferState.PENDING}, "not finished"),
    ({"state": TransferState.UNTOLD}, "success unknown"),
    ({"processed_bytes": 0}, "empty"),
    ({"whose": Whose.OTHER}, "of another database"),
)


@pytest.mark.parametrize(("facts", "why"), BAD)
def test_what_cannot_be_restored_says_why(facts: dict[str, Any], why: str) -> None:
    one = transfer(**facts)
    assert why in one.unusable
    assert why in one.unfit
    assert Transfers([one]).usable(()) == ()


def test_a_good_one_is_taken_unless_it_is_of_a_damaged_state_or_of_nobody_knows_which_database() -> None:
    good, unknown = transfer(), transfer(2, whose=Whose.UNKNOWN)
    assert (good.unusable, good.unfit, unknown.unusable) == ("", "", "")
    assert "not known" in unknown.unfit
    restore = transfer(3, kind=TransferKind.RESTORE)
    assert Transfers([good, unknown, restore]).usable(()) == (good,)
    assert Transfers([good]).usable({"id-1"}) == ()


def test_an_empty_one_was_never_whole() -> None:
    assert transfer().whole
    assert transfer(expired=True).whole
    assert not transfer(processed_bytes=0).whole
    assert not transfer(state=TransferState.FAILED).whole
    assert not transfer(kind=TransferKind.COPY).whole


def test_it_stands_for_the_moment_when_its_snapshot_was_taken() -> None:
    begun, ended = AT + timedelta(minutes=1), AT + timedelta(minutes=9)
    assert transfer(started_at=begun, finished_at=ended).taken_at == begun
    assert transfer(finished_at=ended).taken_at == AT


def test_one_of_tomorrow_says_so() -> None:
    assert transfer().remarks(AT) == ()
    (remark,) = transfer().remarks(AT - timedelta(days=1))
    assert "future" in remark


def test_what_waits_or_works_blocks_another_unless_it_is_another_databases() -> None:
    assert Transfers([transfer()]).under_way("usc-pis") == ""
    for state in (TransferState.PENDING, TransferState.RUNNING):
        assert "b001" in Transfers([transfer(state=state)]).under_way("usc-pis")
        assert "b001" in Transfers([transfer(state=state, whose=Whose.UNKNOWN)]).under_way("usc-pis")
        assert Transfers([transfer(state=state, whose=Whose.OTHER)]).under_way("usc-pis") == ""


def test_the_oldest_manual_one_goes_when_there_is_no_room() -> None:
    first, second, third = (transfer(number) for number in (1, 2, 3))
    assert Transfers([first]).pushed_out() is None
    assert Transfers([first, second]).pushed_out() == (first, 2)
    assert Transfers([transfer(1, expired=True), second]).pushed_out() is None
    assert Transfers([transfer(1, kind=TransferKind.SCHEDULED_BACKUP), second]).pushed_out() is None
    assert Transfers([transfer(1, expired=True), second, third]).pushed_out() == (second, 2)


def test_a_restore_reads_the_backup_at_its_place_or_else_of_its_size() -> None:
    kept, other = SecretStr("s3://bucket/one?signed=1"), SecretStr("s3://bucket/two?signed=1")
    restore = transfer(2, kind=TransferKind.RESTORE, taken_from=SecretStr("s3://bucket/one?signed=2"), source_bytes=7)
    assert restore.reads(transfer(stored_at=kept)) is True
    assert restore.reads(transfer(stored_at=other)) is False
    by_size = transfer(2, kind=TransferKind.RESTORE, source_bytes=5)
    assert by_size.reads(transfer()) is True
    assert by_size.reads(transfer(processed_bytes=6)) is False
    assert by_size.reads(transfer(processed_bytes=0)) is None
