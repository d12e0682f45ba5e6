"""`kit build` and `kit check` against tar, age and sha256sum on the same bytes, and how both grow with the dump."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from pathlib import Path

from bench.programs import timed
from bench.rows import Pairs, Row
from bench.sandboxes import Bench, sandbox
from bench.transfers import PullBench

SMALL, LARGE, FILES, FILE_BYTES = 100, 300, 500, 20_000
"""Megabytes of the two dumps; media files and their size."""
ROUNDS = 2
GROWTH = (LARGE / SMALL) ** 1.1
_PART = "Kits"


def measure() -> Iterator[Row]:
    """One application with 500 media files, its dump at two sizes; the dump is not restored (`--unproven`)."""
    with sandbox("--assets", str(FILES), patients=40) as bench:
        kits = _KitBench(bench, PullBench.of(bench))
        kits.pulls.fill(SMALL)
        small = (kits.built(), kits.checked())
        kits.pulls.fill(LARGE)
        built = Pairs.alternate(kits.built, kits.packed, ROUNDS)
        checked = Pairs.alternate(kits.checked, kits.opened, ROUNDS)
    what = f"a dump of {LARGE} MB and {FILES} media files"
    yield Row(
        _PART, f"kit build, {what}", "curl, tar | age, sha256sum", built,
        megabytes=kits.peak, note="the plain tools have the media files on the disk already, and sync nothing",
    )  # fmt: skip
    yield Row(_PART, f"kit check with a key, {what}", "sha256sum and age -d of each object", checked)
    for name, before, after in (("kit build", small[0], built.ours), ("kit check", small[1], checked.ours)):
        growth = Pairs(after, (before,) * len(after))
        exponent = log(growth.ratio) / log(LARGE / SMALL)
        yield Row(
            _PART, f"{name}, a dump of {LARGE} MB", f"the same of {SMALL} MB", growth, aim=GROWTH,
            note=f"grows with the exponent {exponent:.2f}",
        )  # fmt: skip


@dataclass
class _KitBench:
    """A sandbox, and the plain files that stand in for its media."""

    bench: Bench
    pulls: PullBench
    peak: float = 0.0

    @property
    def store(self) -> Path:
        """Where the kits are."""
        return self.bench.root / "kits"

    def built(self) -> float:
        """Seconds to build a kit in an empty store."""
        shutil.rmtree(self.store, ignore_errors=True)
        done = self.bench.uscdr(
            "kit", "build", "--unproven", "--to", str(self.store), "--recipient", self.pulls.recipient, codes=(0, 1)
        )
        self.peak = max(self.peak, done.megabytes)
        return done.seconds

    def checked(self) -> float:
        """Seconds to check the kit, each object decrypted: it has gaps (exit code 1), but no damage."""
        done = self.bench.uscdr(
            "kit", "check", "--to", str(self.store), "--identity", str(self.pulls.identity), codes=(0, 1)
        )
        return done.seconds

    def packed(self) -> float:
        """Seconds of the plain tools for such a kit."""
        plain = self.bench.root / "plain"
        plain.mkdir(exist_ok=True)
        for number in range(FILES):
            (plain / f"{number}.jpg").write_bytes(os.urandom(FILE_BYTES))
        script = (
            f"curl -sf --cacert {self.pulls.ca} -o plain/database.dump '{self.pulls.link()}' && "
            f"tar -c plain | age -r {self.pulls.recipient} > plain.age && sha256sum plain.age > plain.sum"
        )
        return timed(("bash", "-o", "pipefail", "-c", script), os.environ, cwd=self.bench.root).seconds

    def opened(self) -> float:
        """Seconds of the plain tools to look at each object of our kit."""
        script = (
            f"find {self.store} -name '*.age' -exec sha256sum {{}} + > sums && "
            f"find {self.store} -name '*.age' -exec age -d -i {self.pulls.identity} -o /dev/null {{}} \\;"
        )
        return timed(("bash", "-c", script), os.environ, cwd=self.bench.root).seconds
