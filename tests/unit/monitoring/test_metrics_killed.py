"""The file of metrics is whole at every moment, however the process that writes it dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

WRITER = """
import sys
from pathlib import Path
from uscdr.monitoring.monitor import Monitor
from uscdr.monitoring.observed import CHECKS, Observed
seen = Observed("watch " + "x" * 5000, frozenset({CHECKS}), "production", "usc-pis", verdicts=("pass",) * 40)
Monitor(seen, print).measure(Path(sys.argv[1]))
seen.save()
print("written", flush=True)
while True:
    seen.save()
"""
ROUNDS, CHANGES = 6, 4


def is_whole(text: str) -> bool:
    """Whether it can be parsed, and its last metric is there to its end."""
    try:
        found = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    except ValueError:
        return False
    return "uscdr_build_info" in found and text.endswith("\n")


def test_no_reader_ever_sees_a_part(quick: Path) -> None:
    file = quick / "uscdr.prom"
    for number in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, env={"USCDR_STATE_DIR": str(quick)}
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"written\n"
            seen: set[str] = set()
            while len(seen) < CHANGES + number:
                seen.add(text := file.read_text())
                assert is_whole(text)
                assert writer.poll() is None
            writer.kill()  # wherever it is
        assert is_whole(file.read_text())


def test_a_part_would_be_noticed(quick: Path) -> None:
    file = quick / "uscdr.prom"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, env={"USCDR_STATE_DIR": str(quick)}
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.kill()
    text = file.read_text()
    assert is_whole(text)
    assert [length for length in range(0, len(text), 97) if is_whole(text[:length])] == []
