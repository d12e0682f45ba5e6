"""The maintenance page in a bucket, read back as a browser reads it: without credentials, with the type it needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from s3_server import BUCKET, environment, make_public_bucket

from uscdr.engine.wait import Stop
from uscdr.incident import maintenance_page
from uscdr.incident.maintenance_page import show
from uscdr.pages.maintenance import PageNotice
from uscdr.providers.probes.public_page import PublicPageReader
from uscdr.scenarios.config_page import MaintenancePage
from uscdr.store.location import open_page
from uscdr.store.store import StoreRefused
from uscdr.wiring.maintenance_page import PageAccess

PUBLIC = "usc-pis-status"
NOW = datetime(2026, 11, 28, 3, 9, tzinfo=UTC)


@contextmanager
def page_in(port: int, bucket: str) -> Iterator[PageAccess]:
    url = f"http://127.0.0.1:{port}/{bucket}/public/maintenance.html"
    settings = MaintenancePage(url=url, to=f"s3://{bucket}/public", cache_seconds=0)
    space = open_page(settings.folder, settings.name, environment(port))
    with PublicPageReader(url) as reader:
        yield PageAccess("usc-pis", settings, space, reader)


def test_each_notice_replaces_the_one_before(s3_port: int) -> None:
    make_public_bucket(s3_port, PUBLIC)
    with page_in(s3_port, PUBLIC) as page:
        for words in ("first words", "second words"):
            notice = PageNotice(title="Down", text=words, at=NOW)
            assert show(page, notice, now=NOW, stop=Stop(), say=lambda _: None).seen
            answer = page.public.look()
            assert words.encode() in answer.body
            assert answer.content_type == "text/html; charset=utf-8"
            assert answer.headers["cache-control"] == "no-cache"
        assert show(page, None, now=NOW, stop=Stop(), say=lambda _: None).seen
        assert b"words" not in page.public.look().body


def test_a_bucket_that_nobody_may_read(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance_page, "SPARE", 0.0)
    with page_in(s3_port, BUCKET) as page:
        shown = show(page, None, now=NOW, stop=Stop(), say=lambda _: None)
    assert not shown.seen
    assert f"is written to s3://{BUCKET}/public/maintenance.html, but its public address answers with status 403" in (
        shown.words
    )


def test_a_bucket_that_does_not_exist(s3_port: int) -> None:
    with pytest.raises(StoreRefused, match="no-such-bucket-here does not exist"):
        open_page("s3://no-such-bucket-here", "maintenance.html", environment(s3_port)).replace("x")
