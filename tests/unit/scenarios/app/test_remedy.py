"""What is judged of what was seen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uscdr.errors import BadInput
from uscdr.models.migrations import MigrationsVerdict
from uscdr.scenarios.diagnosis import _last_good, config_changes, remedy
from uscdr.scenarios.results.app import AppSeen, ReleaseLine

WHEN = datetime(2026, 11, 23, tzinfo=UTC)


def line(version: int, description: str = "", *, status: str = "succeeded", can_return: bool = True) -> ReleaseLine:
    return ReleaseLine(
        id=f"id-{version}", version=version, status=status, description=description or f"Deploy {version:08x}",
        created_at=WHEN, slug_id=f"slug-{version}", can_return=can_return,
    )  # fmt: skip


def seen(*releases: ReleaseLine, current: int | None = 41, **facts: object) -> AppSeen:
    """Failing at one check, unless `facts` say otherwise; releases newest first."""
    known = releases or tuple(line(version) for version in (41, 40, 39))
    told = {"maintenance": False, "failing": {"homepage": "503"}, "asked": 1, "ref_commit": "c" * 40}
    return AppSeen.model_validate({"releases": known, "current": current, "code": lacks(), **told, **facts})


def lacks(*pending: str, **facts: object) -> MigrationsVerdict:
    """The database against the deployed code."""
    verdict = "ahead" if facts.get("ahead") else "pending" if pending else "same"
    return MigrationsVerdict.model_validate({"verdict": verdict, "pending": pending, **facts})


def goal(found: AppSeen, *, wanted: str | None = None, ref: str | None = None) -> tuple[str, int | None]:
    judged = remedy(found, wanted=wanted, ref=ref)
    return judged.what, judged.to.version if judged.to else None


def test_a_healthy_application_is_left_alone() -> None:
    assert goal(seen(failing={})) == ("none", None)


def test_pages_that_fail_go_back_one_release() -> None:
    judged = remedy(seen())
    assert (judged.what, judged.to and judged.to.version) == ("rollback", 40)
    assert judged.undone == ("v41 Deploy 00000029",)
    assert "1 of 1 check fails" in judged.why


def test_a_crashed_dyno_goes_back_although_migrations_are_pending() -> None:
    assert goal(seen(dynos={"web.1": "crashed"}, code=lacks("a.0002_b"))) == ("rollback", 40)


def test_code_without_its_migrations_is_migrated_not_undone() -> None:
    assert goal(seen(code=lacks("a.0002_b"))) == ("migrate", None)
    assert goal(seen(code=lacks("a.0002_b"), failing={})) == ("migrate", None)


def test_a_missing_variable_is_brought_back_before_anything_is_migrated() -> None:
    assert goal(seen(code=lacks("a.0002_b"), missing_config=("SECRET_KEY",))) == ("rollback", 40)


def test_a_missing_variable_goes_back_before_the_change_that_removed_it() -> None:
    releases = (line(43, "Set DEBUG config vars"), line(42, "Remove SECRET_KEY config vars"), line(41), line(40))
    found = seen(*releases, current=43, failing={}, missing_config=("SECRET_KEY",))
    assert goal(found) == ("rollback", 41)
    several = (line(43), line(42, "Remove DEBUG, SECRET_KEY config vars"), line(41))
    assert goal(seen(*several, current=43, missing_config=("SECRET_KEY",))) == ("rollback", 41)


def test_a_variable_whose_name_only_begins_alike_was_not_removed() -> None:
    releases = (line(43), line(42, "Remove SECRET_KEY_OLD config vars"), line(41))
    assert goal(seen(*releases, current=43, missing_config=("SECRET_KEY",))) == ("rollback", 42)


def test_a_failed_release_on_top_is_not_what_runs() -> None:
    releases = (line(42, status="failed", can_return=False), line(41), line(40))
    assert goal(seen(*releases, current=41)) == ("rollback", 40)


def test_what_cannot_be_returned_to_is_passed_over() -> None:
    releases = (line(41), line(40, can_return=False), line(39, status="failed"), line(38))
    assert goal(seen(*releases)) == ("rollback", 38)


def test_after_an_earlier_rollback_what_was_found_bad_is_not_tried_again() -> None:
    releases = (line(43, "Rollback to v40"), line(42), line(41), line(40), line(39))
    assert goal(seen(*releases, current=43)) == ("rollback", 39)


def test_a_rollback_to_a_rollback_stands_for_the_first_one() -> None:
    releases = (line(44, "Rollback to v42"), line(43), line(42, "Rollback to v40"), line(41), line(40), line(39))
    assert goal(seen(*releases, current=44)) == ("rollback", 39)


def test_a_deploy_after_a_rollback_goes_back_to_that_rollback() -> None:
    releases = (line(43), line(42, "Rollback to v40"), line(41), line(40))
    assert goal(seen(*releases, current=43)) == ("rollback", 42)


def test_without_an_earlier_release_the_source_is_deployed() -> None:
    assert goal(seen(line(1), current=1)) == ("redeploy", None)
    assert goal(seen(line(1), current=1, ref_commit="")) == ("impossible", None)
    assert goal(seen(current=None)) == ("redeploy", None)


def test_what_runs_nowhere_is_named_beside_maintenance_mode_and_beside_good_answers() -> None:
    stopped = "worker, beat are scaled to 0 (heroku ps:scale worker=1 beat=1 --app usc-pis)"
    shut = remedy(seen(maintenance=True, failing={}, asked=0, stopped=stopped))
    assert shut.what == "impossible"
    assert "heroku maintenance:off" in shut.why
    assert shut.why.endswith(f"; but {stopped}")
    well = remedy(seen(failing={}, stopped=stopped))
    assert (well.what, well.why.endswith(f"; but {stopped}")) == ("none", True)


def test_maintenance_mode_alone_is_no_symptom() -> None:
    judged = remedy(seen(maintenance=True, failing={}, asked=0))
    assert judged.what == "impossible"
    assert "maintenance" in judged.why


@pytest.mark.parametrize(
    "symptom", [{"dynos": {"web.1": "crashed"}}, {"missing_config": ("SECRET_KEY",)}, {"code": lacks("a.0002_b")}]
)
def test_in_maintenance_mode_other_symptoms_count(symptom: dict[str, object]) -> None:
    judged = remedy(seen(maintenance=True, asked=0, **{"failing": {}, **symptom}))  # type: ignore[arg-type]
    assert judged.what == ("migrate" if "code" in symptom else "rollback")


@pytest.mark.parametrize("name", ["v39", "39"])
def test_a_named_release_is_returned_to_even_from_health(name: str) -> None:
    assert goal(seen(failing={}), wanted=name) == ("rollback", 39)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("v99", "not listed"), ("", "not listed"), ("v", "not listed"), ("v4", "not listed"), ("V40", "not listed"),
        ("latest", "not listed"), ("v38", "failed"), ("v37", "cannot be rolled back to"), ("v41", "is already running"),
    ],
)  # fmt: skip
def test_a_release_that_cannot_be_returned_to_is_bad_input(name: str, says: str) -> None:
    releases = (line(41), line(40), line(38, status="failed", can_return=False), line(37, can_return=False))
    with pytest.raises(BadInput, match=says) as caught:
        remedy(seen(*releases), wanted=name)
    assert "v40" in caught.value.why


def test_a_named_ref_is_deployed_even_from_health() -> None:
    assert goal(seen(failing={}), ref="main") == ("redeploy", None)


def test_config_changes_are_told_apart_from_deploys() -> None:
    undone = ("v43 Deploy 12345678", "v42 Set A, B config vars", "v41 Remove C config vars", "v40 Attach DATABASE")
    assert config_changes(undone) == ("v42 Set A, B config vars", "v41 Remove C config vars")


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans(), st.booleans()), max_size=12))
def test_what_is_returned_to_is_older_than_the_code_that_runs(shape: list[tuple[int, bool, bool]]) -> None:
    count = len(shape)
    releases = [
        line(
            count - index,
            f"Rollback to v{target % count + 1}" if target % 3 == 0 else "",
            status="succeeded" if good else "failed",
            can_return=returnable,
        )
        for index, (target, good, returnable) in enumerate(shape)
    ]
    current = count or None
    target = _last_good(seen(*releases, current=current)) if releases else None
    if target is not None:
        assert target.version < count
        assert (target.status, target.can_return) == ("succeeded", True)
