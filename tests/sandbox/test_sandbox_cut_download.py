"""The download of a backup from the emulated platform: cut once, cut always, with a link that expired meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from live_sandbox import Live
from uscdr.errors import ProviderError
from uscdr.models.heroku import Download
from uscdr.providers.heroku.backups import HerokuBackups
from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.http.retry import Wait

ARCHIVES = "/archives/*"


@pytest.fixture
def waits() -> list[Wait]:
    return []


@pytest.fixture
def backups(live: Live, waits: list[Wait]) -> Iterator[HerokuBackups]:
    heroku = live.contract["heroku"]
    with HerokuClient(
        heroku["api_url"], heroku["api_url"], SecretStr(heroku["token"]), ca_file=Path(live.contract["ca_file"]),
        read_only=True, on_wait=waits.append, sleep=lambda seconds: None,
    ) as client:  # fmt: skip
        yield HerokuBackups(client)


def fetched(backups: HerokuBackups, live: Live, num: int, target: Path) -> Download:
    return backups.download(live.app, num, target, lambda done, total: None)


def asked(live: Live, since: int) -> list[int]:
    return [one["status"] for one in live.audit()[since:] if one["path"].startswith("/archives/")]


def test_a_dump_that_is_cut_is_the_same_as_one_that_is_not(
    live: Live, backups: HerokuBackups, waits: list[Wait], tmp_path: Path
) -> None:
    num = live.capture()["num"]
    whole = fetched(backups, live, num, tmp_path / "whole")
    assert waits == []
    since = len(live.audit())
    live.fault("truncated", method="GET", path=ARCHIVES)
    live.fault("truncated", method="GET", path=ARCHIVES, call=2)
    again = fetched(backups, live, num, tmp_path / "again")
    assert (again.size, again.sha256) == (whole.size, whole.sha256)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "whole").read_bytes()
    assert len(waits) == 2
    assert all(one.reason.startswith("The download was cut at ") for one in waits)
    assert asked(live, since)[-1] == 206, "the last part only"


def test_a_link_that_storage_refuses_is_replaced(
    live: Live, backups: HerokuBackups, waits: list[Wait], tmp_path: Path
) -> None:
    num = live.capture()["num"]
    live.fault("403", method="GET", path=ARCHIVES)
    since = len(live.audit())
    assert fetched(backups, live, num, tmp_path / "d").size > 0
    (wait,) = waits
    assert wait.reason == "Heroku's download link has expired."
    signed = [one for one in live.audit()[since:] if one["path"].endswith("/actions/public-url")]
    assert len(signed) == 2


def test_storage_that_always_cuts_ends_it_and_leaves_no_file(
    live: Live, backups: HerokuBackups, waits: list[Wait], tmp_path: Path
) -> None:
    num = live.capture()["num"]
    live.fault("truncated", method="GET", path=ARCHIVES, count=0)
    try:
        with pytest.raises(ProviderError, match="The download was cut at"):
            fetched(backups, live, num, tmp_path / "d")
    finally:
        live.control("DELETE", "faults")
    assert len(waits) == 5
    assert list(tmp_path.iterdir()) == []
