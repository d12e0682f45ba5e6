"""Any sequence of faults, failures, kills and resumed processes: nothing twice, nothing unconfirmed, the right end."""

from __future__ import annotations

import tempfile
from pathlib import Path

from broken_app import broken, running, sent
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes import Killed
from uscdr.errors import ExitCode

MEMORY = Path("/dev/shm")
WRITES = ("set_maintenance", "rollback", "run_one_off", "start_build", "capture")
READS = ("app", "dynos", "releases", "release", "builds", "build", "config_vars", "query", "builds_pending")
ENOUGH = 10


class Recovery(RuleBasedStateMachine):
    """An operator who goes on with a run on a bad day."""

    def __init__(self) -> None:
        super().__init__()
        self._place = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.run = broken(Path(self._place.name))
        self.over = False
        self.release_failures = self.build_failures = 0

    @initialize(helps=st.booleans(), slowness=st.integers(1, 4), pending=st.booleans())
    def circumstances(self, *, helps: bool, slowness: int, pending: bool) -> None:
        world = self.run.world
        world.slowness = slowness
        if not helps:
            world.bad_slugs = {"slug-41", "slug-40"}
        if pending:
            world.deployed.append("patients.0003_phone")

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

    @rule()
    @precondition(lambda self: not self.run.world.release_doom)
    def a_release_phase_will_fail(self) -> None:
        self.run.world.release_doom, self.release_failures = ["failed"], self.release_failures + 1

    @rule()
    @precondition(lambda self: not self.run.world.build_doom)
    def a_build_will_fail(self) -> None:
        self.run.world.build_doom, self.build_failures = ["failed"], self.build_failures + 1

    @rule(records=st.integers(1, 50), moment=st.sampled_from(["before", "after"]))
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
        assert world.intact_web
        assert not world.maintenance
        assert world.live.applied == world.deployed
        assert running(world).startswith(("Rollback to v40", "Deploy cccc"))

    @invariant()
    def a_write_is_repeated_only_after_one_that_surely_failed(self) -> None:
        assert len(sent(self.run, "rollback")) <= 1 + self.release_failures
        assert len(sent(self.run, "start_build")) <= 1 + self.release_failures + self.build_failures
        assert len(sent(self.run, "capture")) <= 1

    @invariant()
    def every_rollback_and_build_was_confirmed(self) -> None:
        if sent(self.run, "rollback") or sent(self.run, "start_build"):
            assert any(event["confirmed"] for event in self.run.events("gate.answered"))

    def teardown(self) -> None:
        try:
            self.run.world.faults.clear()
            self.run.world.release_doom, self.run.world.build_doom = [], []
            for _ in range(ENOUGH):
                if not self.over:
                    self._work()
            assert self.over
        finally:
            self._place.cleanup()


TestRecovery = Recovery.TestCase
TestRecovery.settings = settings(
    max_examples=120, stateful_step_count=7, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
