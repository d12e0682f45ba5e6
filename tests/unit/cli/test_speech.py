"""What a command says while it works: new things at once, amounts now and then."""

from __future__ import annotations

import io
import time

import pytest

from uscdr.ui.console import ConsoleReporter, Output


def test_what_is_new_is_said_at_once_and_how_far_it_got_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    at, heard = [100.0], io.StringIO()
    monkeypatch.setattr(time, "monotonic", lambda: at[0])
    voice = ConsoleReporter(Output(stdout=io.StringIO(), stderr=heard, color=False))
    voice.say("collecting: dump")
    for seconds, done in ((0.0, 0), (1.0, 1_000_000), (5.0, 12_000_000), (6.0, 30_000_000)):
        at[0] = 100.0 + seconds
        voice.progress("dump", done, 34_800_000, "B")
        voice.progress("media", done // 1_000_000, None, "files")
        voice.progress("waiting")
    assert heard.getvalue().splitlines() == [
        "collecting: dump",
        "dump: 0 B of 34.8 MB",
        "media: 0 files",
        "waiting",
        "dump: 12.0 MB of 34.8 MB",
        "media: 12 files",
    ]
