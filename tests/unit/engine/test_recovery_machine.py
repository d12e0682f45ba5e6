"""Any sequence of faults, kills and resumed processes: at most one restore that counts, and the right end."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from test_crash_everywhere import FINAL

from fakes import APP, Killed, clinic
from rehearsal import Rehearsal
from uscdr.errors import ExitCode
from uscdr.models.transfers import TransferState

MEMORY = Path("/dev/shm")
WRITES = ("set_maintenance", "scale", "stop_dyno", "end_sessions", "capture", "restore", "run_one_off")
READS = ("app", "formation", "dynos", "transfers", "transfer", "database", "config_vars", "query", "releases")
ENOUGH = 8


class Recovery(RuleBasedStateMachine):
    """An operator who goes on with a run on a bad day."""

    def __init__(self) -> None:
        super().__init__()
        self._place = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.run = Rehearsal(Path(self._place.name))
        self.over = False

    @initialize(lingering=st.integers(0, 3), slowness=st.integers(1, 4), keep=st.integers(12, 20))
    def circumstances(self, lingering: int, slowness: int, keep: int) -> None:
        world = self.run.world
        world.lingering, world.slowness, world.keep = lingering, slowness, keep

    @rule(
        name=st.sampled_from(WRITES),
        ahead=st.integers(1, 2),
        kind=st.sampled_from(["refused", "down", "lost_before", "lost_after", "kill_before", "kill_after"]),
    )
    def a_write_will_go_wrong(self, name: str, ahead: int, kind: str) -> None:
        self.run.world.faults[name, self.run.world.calls[name] + ahead] = kind

    @rule(name=st.sampled_from(READS), ahead=st.integers(1, 12), kind=st.sampled_from(["refused", "down"]))
    def a_look_will_go_wrong(self, name: str, ahead: int, kind: str) -> None:
        self.run.world.faults[name, self.run.world.calls[name] + ahead] = kind

    @rule(state=st.sampled_from([TransferState.FAILED, TransferState.CANCELED]), after=st.integers(0, 1))
    def a_transfer_will_fail(self, state: TransferState, after: int) -> None:
        self.run.world.doom = [TransferState.COMPLETED] * after + [state]

    @rule(records=st.integers(1, 60), moment=st.sampled_from(["before", "after"]))
    @precondition(lambda self: not self.over)
    def a_process_works_and_is_killed(self, records: int, moment: str) -> None:
        left = [records]

        def crash(seq: int, when: str) -> None:
            left[0] -= when == moment
            if not left[0]:
                raise Killed

        self.run.crash = crash
        self._work()
        self.run.crash = lambda seq, when: None

    @rule()
    @precondition(lambda self: not self.over)
    def a_process_works(self) -> None:
        self._work()

    def _work(self) -> None:
        fresh = not self.run.run or not self.run.journal_path.exists() or not self.run.events()
        ending = self.run.begin() if fresh else self.run.resume()
        if ending is not None and ending.code is ExitCode.DONE:
            self.over = True
            self._must_be_recovered()
        elif ending is not None:
            assert ending.error is not None
            assert ending.error.next_action or ending.code is not ExitCode.UNKNOWN

    def _must_be_recovered(self) -> None:
        world = self.run.world
        assert world.formation == FINAL
        assert not world.maintenance
        assert world.live.tables["patients_patient"] == clinic().tables["patients_patient"]
        assert world.live.applied == world.deployed
        assert [t.state for t in world.restores].count(TransferState.COMPLETED) == 1

    @invariant()
    def a_restore_is_repeated_only_after_one_that_surely_failed(self) -> None:
        failed = [t for t in self.run.world.restores if t.ended and t.state is not TransferState.COMPLETED]
        assert len(self.run.world.restores) <= len(failed) + 1

    @invariant()
    def every_restore_was_confirmed(self) -> None:
        if self.run.run and self.run.journal_path.exists():
            confirmed = [event for event in self.run.events("gate.answered") if event["confirmed"]]
            assert len(self.run.world.restores) <= len(confirmed)

    @invariant()
    def users_are_shut_out_while_the_data_are_not_right(self) -> None:
        if self.run.world.restores and self.run.world.live.tables != clinic().tables and not self.over:
            sound = self.run.world.live.tables.get("patients_patient") == clinic().tables["patients_patient"]
            assert sound or self.run.world.maintenance, APP

    def teardown(self) -> None:
        try:
            self.run.world.faults.clear()
            self.run.world.doom.clear()
            for _ in range(ENOUGH):
                if not self.over:
                    self._work()
            assert self.over
        finally:
            self._place.cleanup()


TestRecovery = Recovery.TestCase
TestRecovery.settings = settings(
    max_examples=200, stateful_step_count=7, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
