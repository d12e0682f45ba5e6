"""Makes a masked dump of a backup: restored into a private server, masked there, dumped anew.

What is not masked is only ever in the private server, which goes at the end, and in the decrypted dump.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.errors import MachineError
from uscdr.files import new_file
from uscdr.pgserver.cluster import Tool
from uscdr.providers.postgres.errors import translated
from uscdr.providers.postgres.masking import mask
from uscdr.providers.postgres.scratch import LocalScratch

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from uscdr.models.masking import DrillUser, MaskedDatabase, MaskingRules
    from uscdr.providers.ports.progress import Progress
    from uscdr.providers.postgres.scratch_server import Bench

_MAJOR = 17
_OPTIONS = (
    "--format=custom", "--no-owner", "--no-acl", "--no-large-objects", "--no-publications", "--no-subscriptions",
)  # fmt: skip
"""Large objects may hold anything, and a subscription holds a password of another server."""
_SERVER = "this machine's PostgreSQL"


@dataclass(frozen=True)
class MaskingScratch:
    """Masks a dump by `rules`, and lets `user` sign in. `directory` is private, and removed by whoever made it."""

    directory: Path
    rules: MaskingRules
    user: DrillUser | None = None
    stop: threading.Event | None = field(default=None, compare=False)

    def masked(self, dump: Path, target: Path, progress: Progress) -> MaskedDatabase:
        """Write the masked dump of `dump` to `target` (0600). The server and its files are gone at the end.

        Raises:
            BadInput: a column that no rule is known for, or a rule that does not fit its column.
            CheckFailed: the dump does not restore, or a masked row breaks a constraint.
            MachineError: this machine failed, or its PostgreSQL lacks something.
        """
        with LocalScratch(self.directory, stop=self.stop).filled(dump, progress) as made:
            _let_mask(made.bench)
            with translated(_SERVER), made.bench.session() as connection:
                done = mask(connection, self.rules, self.user)
            _dump(made.bench, target)
            lacks = tuple(f"{one.what}: {one.why}" for one in made.left_out if not one.of_platform)
            return done.model_copy(update={"left_out": lacks})


def _let_mask(bench: Bench) -> None:
    """The owner may pass by triggers and foreign keys; nothing of the dump runs with more rights than the owner's."""
    from psycopg import sql

    with bench.server.session() as connection:
        grant = sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}")
        connection.execute(grant.format(sql.Identifier(bench.owner.name)))


def _dump(bench: Bench, target: Path) -> None:
    """Raises MachineError. What pg_dump says is not shown: it may quote a definition."""
    tool = Tool.find("pg_dump", minimum_major=_MAJOR)
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **bench.server.environment(bench.database, bench.owner)}
    with new_file(target) as file:
        done = subprocess.run(
            [str(tool.path), *_OPTIONS], env=environment, stdin=subprocess.DEVNULL, stdout=file,
            stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    if done.returncode:
        raise MachineError(
            "uscdr could not dump the masked database.",
            why=f"pg_dump ended with exit code {done.returncode}.",
            next_action="Free disk space and memory, then run the drill again.",
        )
