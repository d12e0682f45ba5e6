"""`recover app` in memory: which way is taken, what is sent, and what an operator is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from broken_app import advice, broken, ended, lost_variable, running, sent, unmigrated
from pydantic import SecretStr

from fake_deploys import FakeSource, add_release
from fakes import Data, FakeDatabase
from rehearsal import Person, Rehearsal
from uscdr.checks.context import Expected
from uscdr.checks.kinds.data import DecryptCheck
from uscdr.errors import Declined, ExitCode
from uscdr.models.heroku import Release
from uscdr.models.migrations import Lack
from uscdr.scenarios.adapters import Request

SQUASHED = "patients.squashed_initial"


def test_a_bad_release_is_rolled_back_and_nothing_is_built(quick: Path) -> None:
    run = broken(quick)
    assert ended(run.begin())[0] is ExitCode.DONE
    assert running(run.world) == "Rollback to v40"
    assert run.world.writes == [
        "set_maintenance True", "rollback release-40", "run_one_off showmigrations --plan", "set_maintenance False",
        "run_one_off write_check",
    ]  # fmt: skip
    assert run.person.phrases == ["usc-pis roll back to v40"]


def test_a_dry_run_writes_nothing_and_its_phrase_confirms_the_run(quick: Path) -> None:
    run = broken(quick)
    phrase = run.phrase()
    assert run.world.writes == []
    run.person = Person(interactive=False)
    assert ended(run.begin(confirm=phrase))[0] is ExitCode.DONE


def test_a_phrase_of_another_goal_is_refused_before_anything_is_sent(quick: Path) -> None:
    run = broken(quick)
    run.person = Person(interactive=False)
    assert ended(run.begin(confirm="usc-pis v41: roll back to v39"))[0] is ExitCode.DECLINED
    assert run.world.writes == []


def test_a_healthy_application_is_refused_with_the_ways_to_insist(quick: Path) -> None:
    run = broken(quick)
    run.world.bad_slugs, run.world.crashing, run.world.intact_web = set(), set(), True
    ending = run.begin()
    assert ended(ending)[0] is ExitCode.CHECK_FAILED
    assert "There is nothing to recover" in ended(ending)[1]
    assert all(words in advice(ending) for words in ("uscdr verify all", "uscdr recover app --release", "--ref REF"))
    assert run.world.writes == []


def test_an_application_whose_key_opens_nothing_is_not_called_healthy(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pages are answered without the key; the release that changed it is named, and returning to it is a way."""
    run = broken(quick)
    run.world.bad_slugs, run.world.crashing, run.world.intact_web = set(), set(), True
    checks = {**run.config.checks, "encrypted-columns": DecryptCheck(kind="decrypt")}
    run.config = run.config.model_copy(update={"checks": checks})
    recovery, key = run.config.recovery, {"PGP_ENCRYPTION_KEY": SecretStr("one that opens nothing")}
    expected = Expected(key=recovery.encryption_key_variable, canaries=recovery.canaries)
    facts, database = cast("Any", SimpleNamespace(config=lambda: key)), FakeDatabase(run.world)
    pages = run.seen_by_checks
    monkeypatch.setattr(
        run, "seen_by_checks",
        lambda *asked: replace(pages(*asked), expected=expected, facts=facts, database=lambda: database),
    )  # fmt: skip
    add_release(run.world, "Set PGP_ENCRYPTION_KEY config vars", "slug-41")
    message = ended(run.begin())[1]
    assert "PGP_ENCRYPTION_KEY does not fit" in message
    assert "Release v42" in message
    assert "uscdr recover app --release v41" in message
    assert "nothing to recover" not in message
    assert run.world.writes == []


def test_a_lost_variable_comes_back_with_the_release_that_had_it(quick: Path) -> None:
    run = lost_variable(quick)
    assert ended(run.begin())[0] is ExitCode.DONE
    assert running(run.world) == "Rollback to v41"
    assert "SECRET_KEY" in run.world.vars


def test_a_variable_that_no_release_had_ends_with_where_to_get_it(quick: Path) -> None:
    run = broken(quick)
    run.world.vars = frozenset()
    run.world.vars_of = dict.fromkeys(run.world.vars_of, frozenset())
    ending = run.begin()
    code, message = ended(ending)
    assert (code, "SECRET_KEY" in message) == (ExitCode.CHECK_FAILED, True)
    assert "kit" in advice(ending)
    assert len(sent(run, "rollback")) == 1
    run.world.vars = frozenset({"SECRET_KEY"})
    assert ended(run.resume())[0] is ExitCode.DONE
    assert len(sent(run, "rollback")) == 1


def test_code_without_its_migration_is_migrated_after_a_capture(quick: Path) -> None:
    run = unmigrated(quick)
    run.world.bad_slugs = {"until migrated"}
    assert ended(run.begin())[0] is ExitCode.DONE
    assert run.world.live.applied == run.world.deployed
    asked, planned = "run_one_off showmigrations --plan", "run_one_off sqlmigrate patients 0003_phone"
    assert run.world.tried_on_copies == ["patients.0003_phone"]
    assert run.world.writes == [
        "run_one_off showmigrations", planned, "set_maintenance True", "capture", asked,
        "run_one_off migrate --noinput", asked, "set_maintenance False", "start_build cccc", "run_one_off write_check",
    ]  # fmt: skip


def test_a_rollback_that_does_not_help_is_followed_by_one_build(quick: Path) -> None:
    run = broken(quick)
    run.world.bad_slugs = {"slug-41", "slug-40"}
    assert ended(run.begin())[0] is ExitCode.DONE
    assert sent(run, "rollback") == ["rollback release-40"]
    assert sent(run, "start_build") == ["start_build cccc"]
    assert running(run.world) == "Deploy cccccccc"


def test_a_named_release_is_returned_to(quick: Path) -> None:
    run = broken(quick, release="v39")
    run.world.deployed = run.world.live.applied[:1]
    ending = run.begin()
    code, message = ended(ending)
    assert (code, "1 migration applied but unknown to the deployed code: patients.0002_names" in message) == (
        ExitCode.CHECK_FAILED, True,
    )  # fmt: skip
    assert "--ref REF --new" in advice(ending)
    assert running(run.world) == "Rollback to v39"
    decided = run.events("gate.asked")[0]["facts"]
    assert "patients.0002_names" in decided["database"]
    assert decided["undone by that"] == "v41 Deploy dddddddd; v40 Deploy cccccccc"


def test_a_named_ref_is_deployed_without_asking_the_broken_code_about_migrations(quick: Path) -> None:
    run = broken(quick, ref="old")
    run.world.live.applied = run.world.deployed = run.world.live.applied[:1]
    assert ended(run.begin())[0] is ExitCode.DONE
    assert sent(run, "start_build") == ["start_build bbbb"]
    assert sent(run, "run_one_off") == ["run_one_off write_check"]
    assert run.events("step.succeeded")[-1]["step"] == "check_app"


def test_a_build_that_does_not_get_everything_is_named_before_it_is_agreed_to(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeSource, "lacks", (Lack(path="backend/shared", what="submodule"),))
    for given, fact in (({"ref": "old"}, "deployed"), ({}, "if that does not help")):
        run = broken(quick / fact, **given)
        run.begin()
        assert "WITHOUT THE CONTENT OF backend/shared (submodule)" in run.events("gate.asked")[0]["facts"][fact]


@pytest.mark.parametrize(("release", "ref"), [("v99", None), ("v41", None), ("", None), (None, "no-such-ref")])
def test_an_unknown_release_or_ref_is_bad_input_and_nothing_is_sent(
    quick: Path, release: str | None, ref: str | None
) -> None:
    run = broken(quick, release=release, ref=ref)
    assert ended(run.begin())[0] is ExitCode.BAD_INPUT
    assert run.world.writes == []
    assert ended(run.begin(dry_run=True))[0] is ExitCode.BAD_INPUT


def test_without_an_earlier_release_the_source_is_deployed_once(quick: Path) -> None:
    run = broken(quick)
    run.world.releases = [release for release in run.world.releases if release.version == 41]
    assert ended(run.begin())[0] is ExitCode.DONE
    assert (sent(run, "rollback"), sent(run, "start_build")) == ([], ["start_build cccc"])


def test_maintenance_mode_with_stopped_workers_names_both(quick: Path) -> None:
    run = broken(quick)
    run.world.crashing, run.world.maintenance = set(), True
    run.world.formation |= {"worker": 0, "beat": 0}
    code, words = ended(run.begin(dry_run=True))
    assert code is ExitCode.CHECK_FAILED
    assert "heroku maintenance:off" in words
    assert "worker, beat are scaled to 0 (heroku ps:scale worker=1 beat=1 --app usc-pis)" in words


def test_maintenance_mode_alone_is_refused(quick: Path) -> None:
    run = broken(quick)
    run.world.crashing, run.world.maintenance = set(), True
    code, message = ended(run.begin())
    assert (code, "maintenance" in message) == (ExitCode.CHECK_FAILED, True)
    assert run.world.writes == []


def test_a_crash_in_maintenance_mode_is_recovered_and_users_are_let_in(quick: Path) -> None:
    run = broken(quick)
    run.world.maintenance = True
    assert ended(run.begin())[0] is ExitCode.DONE
    assert not run.world.maintenance


def test_missing_tables_are_another_scenario(quick: Path) -> None:
    run = broken(quick)
    run.world.live = Data({"django_migrations": {}}, run.world.live.applied)
    code, message = ended(run.begin())
    assert (code, "recover db" in message) == (ExitCode.CHECK_FAILED, True)


def test_data_that_break_an_invariant_keep_users_out(quick: Path) -> None:
    run = broken(quick)
    run.world.live.tables["patients_patient"] = {1: 1}
    assert ended(run.begin())[0] is ExitCode.CHECK_FAILED
    assert run.world.maintenance


def test_a_release_that_appears_before_the_confirmation_stops_the_run(quick: Path) -> None:
    run = broken(quick)
    phrase = run.phrase()
    add_release(run.world, "Deploy eeeeeeee", "slug-41")
    run.person = Person(interactive=False)
    assert ended(run.begin(confirm=phrase))[0] is ExitCode.DECLINED
    assert run.world.writes == []


# migrations under other names


def decided(run: Rehearsal) -> str:
    """What the phrase's facts say of the database."""
    run.begin()
    return str(run.events("gate.asked")[0]["facts"]["database"])


def test_a_squashed_migration_of_the_older_code_is_neither_ahead_nor_pending(quick: Path) -> None:
    run = broken(quick, release="v40")
    run.world.replaced = {SQUASHED: tuple(run.world.live.applied)}
    run.world.deployed = [SQUASHED]
    assert decided(run) == "no migration was applied since"
    seen = next(one["result"] for one in run.events("step.succeeded") if one["name"] == "app.look")
    assert (seen["code"]["verdict"], seen["ref_code"]["verdict"]) == ("same", "same")


def test_a_squashed_migration_that_is_recorded_is_not_ahead_of_the_code_that_has_the_old_ones(quick: Path) -> None:
    run = broken(quick, release="v40")
    run.world.live.applied.append(SQUASHED)
    run.world.deployed.append(SQUASHED)
    assert decided(run) == "no migration was applied since"


def test_a_migration_named_by_hand_that_the_older_code_lacks_is_ahead(quick: Path) -> None:
    run = broken(quick, release="v39")
    run.world.live.applied[1:] = ["patients.by_hand"]
    assert decided(run).startswith("AHEAD of that code by patients.by_hand;")


def test_code_without_a_migration_is_not_known_to_fit_the_database(quick: Path) -> None:
    run = broken(quick, release="v40")
    run.world.live.applied, run.world.deployed = [], []
    assert "NOT KNOWN" in decided(run)


# release phases and builds that fail


def test_a_failed_release_phase_of_the_rollback_is_said_and_tried_again_on_resume(quick: Path) -> None:
    run = broken(quick)
    run.world.release_doom = ["failed"]
    code, message = ended(run.begin())
    assert (code, "v42 failed" in message) == (ExitCode.FAILED, True)
    assert run.world.maintenance
    assert ended(run.resume())[0] is ExitCode.DONE
    assert len(sent(run, "rollback")) == 2


def build_run(quick: Path) -> Rehearsal:
    return broken(quick, ref="main")


def test_a_failed_build_leaves_the_users_choice_and_another_ref_is_a_new_run(quick: Path) -> None:
    run = build_run(quick)
    run.world.build_doom = ["failed"]
    ending = run.begin()
    assert ended(ending)[0] is ExitCode.FAILED
    assert "--ref REF --new" in advice(ending)
    again = broken(quick, ref="hotfix")
    again.world = run.world
    with pytest.raises(Declined, match="not finished"):
        again.begin()
    again.request = Request("app", ref="hotfix", anew=True)
    assert ended(again.begin())[0] is ExitCode.DONE
    assert sent(run, "start_build") == ["start_build cccc", "start_build dddd"]


@pytest.mark.parametrize("doom", ["build_doom", "release_doom"])
def test_a_failed_build_or_its_release_phase_is_built_again_on_resume(quick: Path, doom: str) -> None:
    run = build_run(quick)
    setattr(run.world, doom, ["failed"])
    assert ended(run.begin())[0] is ExitCode.FAILED
    assert ended(run.resume())[0] is ExitCode.DONE
    assert len(sent(run, "start_build")) == 2


def test_a_build_under_way_is_waited_for_not_doubled(quick: Path) -> None:
    run = build_run(quick)
    run.world.builds = 1
    run.stop.event.set()
    assert ended(run.begin())[0] is ExitCode.INTERRUPTED
    assert run.world.writes == []


# answers that were lost


def test_a_lost_rollback_is_told_from_one_whose_number_begins_alike(quick: Path) -> None:
    run = broken(quick, release="v4")
    run.world.live.applied = run.world.deployed = run.world.live.applied[:1]
    run.world.releases.append(run.world.releases[-1].model_copy(update={"id": "release-4", "version": 4}))
    run.world.faults["rollback", 1] = "lost_before"
    others: list[Release] = []

    def meddle(seq: int, moment: str) -> None:
        """Somebody else rolls back to v40 right before our own call is lost."""
        if not others and moment == "after" and [e["step"] for e in run.events("step.started")][-1:] == ["rollback"]:
            others.append(add_release(run.world, "Rollback to v40", "slug-40"))

    run.crash = meddle
    assert ended(run.begin())[0] is ExitCode.DONE
    assert others
    assert sent(run, "rollback") == ["rollback release-4"]
    assert running(run.world) == "Rollback to v4"


def test_somebody_elses_build_of_another_commit_is_not_adopted(quick: Path) -> None:
    run = build_run(quick)
    run.world.faults["start_build", 1] = "lost_before"
    assert ended(run.begin())[0] is ExitCode.DONE
    assert len(sent(run, "start_build")) == 1


def test_a_table_that_row_level_security_hides_is_named_and_keeps_nobody_out(quick: Path) -> None:
    run = broken(quick)
    run.world.disk.hidden = ("django_session", "patients_patient")
    ending = run.begin(confirm=run.phrase())
    assert ending is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert not run.world.maintenance
    assert ending.error is not None
    hidden = [f"{name}: cannot be counted: row-level security is forced" for name in run.world.disk.hidden]
    words = "; ".join((*hidden, "the query “patients are there” did not run"))
    assert ending.error.message == f"Recovered, but some checks could not run: {words}"
