"""`recover media` on a cloud in memory: what comes back, from where, at which cost, and how a cut run goes on."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from fake_media import STORED, Cloud, Copies, MediaRun, reference
from uscdr.engine.run import Outcome
from uscdr.engine.step import StepReporter
from uscdr.errors import CredentialsRefused, ExitCode, ProviderError
from uscdr.models.media import Access, AccessRule, AssetKey
from uscdr.scenarios.config import MediaSettings
from uscdr.scenarios.media.copies import FolderFiles
from uscdr.scenarios.media.under_way import NAME
from uscdr.scenarios.steps.media_restore import ANSWER_LOST, IN_FLIGHT


@pytest.fixture
def run(tmp_path: Path) -> MediaRun:
    return MediaRun(tmp_path / "state")


def copies(run: MediaRun, tmp_path: Path, *, files: bool = True) -> Copies:
    place = tmp_path / "copies"
    place.mkdir(exist_ok=True)
    return Copies(run.cloud, place, files=files)


def code(ending: Outcome | None) -> ExitCode | None:
    return ending.code if ending else None


def finish(run: MediaRun, ending: Outcome | None, *, most: int = 5) -> Outcome:
    """Resume until it ended in some way other than a death."""
    for _ in range(most):
        if ending is not None:
            return ending
        ending = run.resume()
    raise AssertionError("it never ends")


def journal(run: MediaRun) -> str:
    return run.journal_path.read_text()


def test_deleted_files_come_back_from_the_services_own_backup(run: MediaRun) -> None:
    keys = run.fill(30)
    before = run.cloud.contents()
    for key in keys[:25]:
        run.cloud.delete(key)
    assert code(run.begin()) is ExitCode.DONE
    assert run.cloud.contents() == before
    assert run.result("media")["deleted"] == 25
    assert run.result("media_restore") == {"restored": 25, "refused": 0}
    assert run.cloud.uploads == []
    assert "patient-name" not in journal(run)


def test_the_phrase_of_a_dry_run_confirms_the_run(run: MediaRun) -> None:
    run.cloud.delete(run.fill(3)[0])
    phrase = run.phrase()
    assert phrase == "clinic restore 1 file"
    run.person.interactive = False
    assert code(run.begin(confirm=phrase)) is ExitCode.DONE


def test_nothing_lost_means_nothing_written(run: MediaRun) -> None:
    run.fill(5)
    run.world.config.update({})
    assert code(run.begin()) is ExitCode.DONE
    assert [write for write in run.world.writes if write.startswith("media")] == []


def test_a_dry_run_writes_nothing_and_says_what_it_would_cost(run: MediaRun) -> None:
    for key in run.fill(12):
        run.cloud.delete(key)
    assert code(run.begin(dry_run=True)) is ExitCode.DONE
    assert run.world.writes == []
    plan = {line["id"]: line["summary"] for line in run.events("plan.ready")[-1]["steps"]}
    assert "12 files from the service's own backup" in plan["media_plan"]
    assert "calls" in plan["media_plan"]


@pytest.mark.parametrize("number", [5000])
def test_five_thousand_files_cost_next_to_no_more_calls_than_they_must(run: MediaRun, number: int) -> None:
    keys = run.fill(number)
    before = run.cloud.contents()
    for key in keys:
        run.cloud.delete(key)
    assert code(run.begin()) is ExitCode.DONE
    assert run.cloud.contents() == before
    kinds = [sum(key.resource_type == kind for key in keys) for kind in ("image", "raw", "video")]
    pages = sum(max(1, math.ceil(kind / 500)) for kind in kinds)
    least = 2 * pages + 2 + sum(math.ceil(kind / 100) for kind in kinds)
    assert run.cloud.admin_calls <= 1.1 * least


def test_changed_files_come_back_in_the_version_the_inventory_knows(run: MediaRun, tmp_path: Path) -> None:
    keys = run.fill(40)
    before = run.cloud.contents()
    run.copies = copies(run, tmp_path, files=False)
    for n, key in enumerate(keys[:10]):
        # half of them with as many bytes as before: only the bytes tell
        run.cloud.overwrite(key, bytes(reversed(before[key])) if n % 2 else b"vandal")
    run.cloud.overwrite(keys[1], b"vandal again")
    assert code(run.begin()) is ExitCode.DONE
    assert run.cloud.contents() == before
    assert run.world.calls["media_details"] == 10
    assert len(run.cloud.restores) == 10


def test_a_changed_file_without_a_backup_comes_from_the_copy(run: MediaRun, tmp_path: Path) -> None:
    keys = run.fill(6, backed_up=lambda n: False)
    before = run.cloud.contents()
    run.copies = copies(run, tmp_path)
    run.cloud.overwrite(keys[3], b"vandal", backed_up=False)
    assert code(run.begin()) is ExitCode.DONE
    assert run.cloud.contents() == before
    assert run.cloud.uploads == [keys[3]]


def test_what_has_no_backup_is_uploaded_with_its_tags(run: MediaRun, tmp_path: Path) -> None:
    keys = run.fill(30, backed_up=lambda n: n % 2 == 0)
    before = run.cloud.contents()
    run.copies = copies(run, tmp_path)
    for key in keys:
        run.cloud.delete(key)
    assert code(run.begin()) is ExitCode.DONE
    assert run.cloud.contents() == before
    assert sorted(map(str, run.cloud.uploads)) == sorted(str(key) for n, key in enumerate(keys) if n % 2)
    assert run.cloud.assets[keys[1]].tags == ("media", "kept")


def test_what_nobody_has_is_named_by_its_row_and_never_called_a_success(run: MediaRun) -> None:
    keys = run.fill(20, backed_up=lambda n: n % 2 == 0)
    for key in keys:
        run.cloud.delete(key)
    ending = run.begin()
    assert code(ending) is ExitCode.CHECK_FAILED
    assert ending is not None
    assert ending.error is not None
    assert "--kit" in ending.error.message
    assert len(run.cloud.contents()) == 10
    lost = run.result("media_plan")
    assert lost["lost"] == 10
    assert lost["unavailable"][0].startswith("file_uploads_uploadedfile.file #1 (")
    assert "patient-name" not in journal(run)


def test_a_service_that_lists_no_deleted_file_is_asked_for_them_all_the_same(run: MediaRun) -> None:
    keys = run.fill(3, backed_up=lambda n: False)
    for key in keys[:2]:
        run.cloud.delete(key)
    assert code(run.begin()) is ExitCode.CHECK_FAILED
    assert run.result("media_plan")["asked"] == 2
    assert run.result("media_restore") == {"restored": 0, "refused": 2}


def test_another_cloud_is_filled_and_the_application_pointed_at_it(run: MediaRun, tmp_path: Path) -> None:
    run.fill(12)
    run.copies = copies(run, tmp_path)
    run.another = Cloud("clinic-recovery", run.world)
    run.account = run.account.model_copy(update={"cloud": "clinic-recovery"})
    run.world.config.update({"USE_CLOUDINARY": run.account.api_secret, "DEFAULT_FILE_STORAGE": run.account.api_secret})
    run.cloud.refuses = CredentialsRefused
    assert code(run.begin()) is ExitCode.DONE
    assert run.another.contents() == {key: stored.content for key, stored in run.cloud.assets.items()}
    values = {name: value.get_secret_value() for name, value in run.world.config.items() if value}
    assert (values["CLOUDINARY_CLOUD_NAME"], values["USE_CLOUDINARY"]) == ("clinic-recovery", "True")
    assert [write.split()[0] for write in run.world.writes].count("set_config") == 1
    assert "secret-of-clinic" not in journal(run)
    assert "DEFAULT_FILE_STORAGE is set but has no effect" in journal(run)


@pytest.mark.parametrize("refusal", [CredentialsRefused, ProviderError])
def test_a_service_that_refuses_ends_the_run_before_any_write(run: MediaRun, refusal: type[ProviderError]) -> None:
    run.fill(3)
    run.cloud.refuses = refusal
    ending = run.begin()
    assert code(ending) is ExitCode.FAILED
    assert ending is not None
    assert ending.error is not None
    assert ending.error.next_action
    assert run.world.writes == []
    assert "status page" in journal(run)


def test_orphans_stay_and_the_skew_is_said(run: MediaRun) -> None:
    keys = run.fill(4)
    orphan = AssetKey(resource_type="image", public_id="media/orphan")
    run.cloud.put(orphan, b"newer than the dump")
    old = STORED - timedelta(days=2)
    run.world.references = [one.model_copy(update={"created_at": old}) for one in run.world.references]
    assert code(run.begin()) is ExitCode.DONE
    seen = run.result("media")
    assert (seen["orphans"], seen["skew"]["orphans_after_newest_reference"]) == (1, 1)
    assert orphan in run.cloud.contents()
    assert "deleteorphanedmedia" in journal(run)
    assert len(run.cloud.contents()) == len(keys) + 1


def test_rows_newer_than_every_file_are_counted(run: MediaRun) -> None:
    run.fill(2)
    run.world.references.append(reference(9, "media/newer", written=STORED + timedelta(hours=3)))
    run.begin(dry_run=True)
    skew = run.result("media")["skew"] if run.events("step.succeeded") else None
    plan = {line["id"]: line["summary"] for line in run.events("plan.ready")[-1]["steps"]}
    assert skew is None
    assert "the media are 3 h behind the database" in plan["media"]


def test_a_used_up_allowance_is_waited_for(run: MediaRun) -> None:
    for key in run.fill(12):
        run.cloud.delete(key)
    run.cloud.limit, run.cloud.remaining = 6, 6
    assert code(run.begin()) is ExitCode.DONE
    assert len(run.cloud.contents()) == 12
    assert "waiting for the hourly rate limit" in journal(run)


@pytest.mark.parametrize("call", ["media_restore", "media_upload"])
@pytest.mark.parametrize("kind", ["lost_before", "lost_after"])
def test_a_lost_answer_is_settled_by_looking(run: MediaRun, tmp_path: Path, call: str, kind: str) -> None:
    keys = run.fill(12, backed_up=lambda n: n % 2 == 0)
    before = run.cloud.contents()
    run.copies = copies(run, tmp_path)
    for key in keys:
        run.cloud.delete(key)
    run.world.faults[call, 1] = kind
    assert code(run.begin()) is ExitCode.DONE
    assert run.cloud.contents() == before
    assert len(run.cloud.uploads) == len(set(run.cloud.uploads)) == 6
    assert len(run.cloud.restores) == len(set(run.cloud.restores)) == 6
    told = re.findall(rf"{re.escape(ANSWER_LOST)} Back: (\d+) of (\d+) files?", journal(run))
    assert len(told) == (call == "media_restore")
    assert all(back == ("0" if kind == "lost_before" else of) for back, of in told)


@pytest.mark.parametrize("moment", ["kill_before", "kill_after"])
@pytest.mark.parametrize(
    ("call", "number"),
    [("media_restore", 1), ("media_restore", 2), *(("media_upload", n) for n in range(1, 7)), ("set_config", 1)],
)
def test_a_killed_run_goes_on_and_finishes_no_file_twice(
    run: MediaRun, tmp_path: Path, call: str, number: int, moment: str
) -> None:
    keys = run.fill(12, backed_up=lambda n: n % 2 == 0)
    before = run.cloud.contents()
    run.copies = copies(run, tmp_path)
    for key in keys:
        run.cloud.delete(key)
    run.world.faults[call, number] = moment
    assert code(finish(run, run.begin())) is ExitCode.DONE
    assert run.cloud.contents() == before
    assert len(run.cloud.uploads) == len(set(run.cloud.uploads)) == 6
    assert len(run.cloud.restores) == len(set(run.cloud.restores)) == 6
    assert [write.split()[0] for write in run.world.writes].count("set_config") == 1


@pytest.mark.parametrize("moment", ["kill_before", "kill_after"])
def test_what_was_in_flight_at_the_kill_is_looked_for_and_told(run: MediaRun, tmp_path: Path, moment: str) -> None:
    keys = run.fill(12, backed_up=lambda n: False)
    before = run.cloud.contents()
    run.copies = copies(run, tmp_path)
    for key in keys:
        run.cloud.delete(key)
    run.world.faults["media_upload", 5] = moment
    assert run.begin() is None
    log = run.journal_path.with_name(NAME)
    assert log.stat().st_mode & 0o077 == 0
    assert "patient" not in log.read_text()
    there, looks = set(run.cloud.contents()), run.world.calls["media_look_up"]
    assert code(finish(run, None)) is ExitCode.DONE
    told = re.findall(rf"(\d+) uploads? (?:was|were) {IN_FLIGHT}; (\d+) had arrived", journal(run))
    assert len(told) == 1
    in_flight, arrived = map(int, told[0])
    assert 1 <= in_flight <= len(keys)
    assert arrived <= min(in_flight, len(there))
    assert arrived >= (moment == "kill_after")
    assert run.world.calls["media_look_up"] > looks
    assert run.cloud.contents() == before
    assert len(run.cloud.uploads) == len(set(run.cloud.uploads)) == 12
    assert not log.exists()


def test_a_run_that_was_not_killed_tells_of_nothing_in_flight(run: MediaRun, tmp_path: Path) -> None:
    keys = run.fill(3, backed_up=lambda n: False)
    run.copies = copies(run, tmp_path)
    for key in keys:
        run.cloud.delete(key)
    assert code(run.begin()) is ExitCode.DONE
    assert IN_FLIGHT not in journal(run)
    assert run.world.calls["media_look_up"] == 0


def test_as_many_calls_as_files_and_pages_and_a_hundred_reports(run: MediaRun, tmp_path: Path) -> None:
    keys = run.fill(700, backed_up=lambda n: False)
    run.copies = copies(run, tmp_path)
    for key in keys:
        run.cloud.delete(key)
    shown: list[str] = []
    with mock.patch.object(StepReporter, "progress", lambda self, note, *_: shown.append(note)):
        assert code(run.begin()) is ExitCode.DONE
    assert len(run.cloud.uploads) == 700
    assert run.world.calls["media_list"] == 3 + 3  # a page of each type, at the look and at the end
    assert run.cloud.admin_calls <= 12
    assert 100 <= shown.count("uploading") <= 102


def test_changed_files_of_the_same_size_survive_a_killed_restore(run: MediaRun, tmp_path: Path) -> None:
    keys = run.fill(9)
    before = run.cloud.contents()
    run.copies = copies(run, tmp_path, files=False)
    for key in keys:
        run.cloud.overwrite(key, bytes(reversed(before[key])))
    run.world.faults["media_restore", 1] = "kill_after"
    assert code(finish(run, run.begin())) is ExitCode.DONE
    assert run.cloud.contents() == before
    assert len(run.cloud.restores) == 9


def test_a_file_that_is_lost_again_before_the_end_fails_the_verification(run: MediaRun) -> None:
    keys = run.fill(3)
    run.cloud.delete(keys[0])

    def lose(seq: int, moment: str) -> None:
        begun = run.journal_path.exists()  # the journal comes with its first record
        if begun and "media_settings" in journal(run).rpartition("\n{")[2] and keys[0] in run.cloud.assets:
            run.cloud.assets.pop(keys[0])

    run.crash = lose
    assert code(run.begin()) is ExitCode.CHECK_FAILED


def test_without_an_inventory_the_size_that_rows_tell_shows_a_change(run: MediaRun) -> None:
    keys = run.fill(8)
    before = run.cloud.contents()
    run.world.references = [
        one.model_copy(update={"bytes": len(before[key])}) for one, key in zip(run.world.references, keys, strict=True)
    ]
    for key in keys[:3]:
        run.cloud.overwrite(key, b"vandal")
    assert code(run.begin()) is ExitCode.DONE
    assert run.result("media")["changed"] == 3
    assert run.cloud.contents() == before


def test_a_sample_without_a_known_digest_is_compared_with_the_services_own(run: MediaRun) -> None:
    run.fill(20)
    assert code(run.begin()) is ExitCode.DONE
    seen = run.result("media_verify")
    assert (seen["sampled"], seen["hashed"], seen["wrong"]) == (20, 3, 0)
    assert run.world.calls["media_details"] == 3


def test_a_damaged_copy_does_not_keep_the_others_away(run: MediaRun, tmp_path: Path) -> None:
    keys = run.fill(6, backed_up=lambda n: False)
    run.copies = copies(run, tmp_path)
    for key in keys:
        run.cloud.delete(key)
    run.copies.damaged.add(keys[2])
    assert code(run.begin()) is ExitCode.CHECK_FAILED
    assert run.result("media_upload")["damaged"] == 1
    assert len(run.cloud.contents()) == 5


# who may have a file

TOKEN = Access(rules=(AccessRule(access_type="token"),))


def restricted(run: MediaRun, number: int = 6) -> list[AssetKey]:
    """So many files, the first with an access rule, the second by the older switch, the third authenticated."""
    keys = run.fill(number)
    run.cloud.assets[keys[0]].access = TOKEN
    run.cloud.assets[keys[1]].access = Access(mode="authenticated")
    secret = keys[2].model_copy(update={"delivery": "authenticated"})
    run.cloud.assets[secret] = run.cloud.assets.pop(keys[2])
    run.world.references[2] = reference(
        2,
        f"https://res.cloudinary.com/clinic/{secret.resource_type}/authenticated/s--Ab3-_x9Z--/v17/{secret.public_id}",
    )
    return [*keys[:2], secret, *keys[3:]]


def access_of(run: MediaRun) -> dict[AssetKey, Access]:
    return {key: stored.access for key, stored in run.cloud.assets.items()}


def test_restricted_files_are_there_and_said_to_be_restricted(run: MediaRun) -> None:
    restricted(run)
    assert code(run.begin()) is ExitCode.DONE
    assert run.result("media")["missing"] == 0
    assert run.result("media")["restricted"] == 3
    assert run.result("media_verify")["undelivered"] == 0


def test_restricted_files_come_back_from_a_copy_as_restricted_as_they_were(run: MediaRun, tmp_path: Path) -> None:
    keys = restricted(run)
    before, access = run.cloud.contents(), access_of(run)
    run.copies = copies(run, tmp_path)
    for key in keys[:4]:
        del run.cloud.assets[key]
    assert code(run.begin()) is ExitCode.DONE
    assert run.cloud.contents() == before
    assert access_of(run) == access


@pytest.mark.parametrize("silent", [True, False])
def test_a_file_that_was_restricted_and_is_open_now_is_found_and_closed(
    run: MediaRun, tmp_path: Path, silent: bool
) -> None:
    keys = restricted(run)
    run.copies, run.cloud.silent = copies(run, tmp_path), silent
    access = access_of(run)
    for key in keys[:2]:
        run.cloud.assets[key].access = Access()
    assert code(run.begin()) is ExitCode.DONE
    assert (run.result("media")["misopened"], run.result("media")["opened"]) == (2, 2)
    assert run.result("media_upload")["access"] == 2
    assert run.cloud.uploads == []
    assert access_of(run) == access
    assert "PUBLIC now" in journal(run)


def test_a_lost_answer_does_not_leave_a_file_open(run: MediaRun, tmp_path: Path) -> None:
    keys = restricted(run)
    run.copies = copies(run, tmp_path)
    run.cloud.assets[keys[0]].access = Access()
    run.world.faults["media_set_access", 1] = "lost_after"
    assert finish(run, run.begin()).code is ExitCode.DONE
    assert run.cloud.assets[keys[0]].access == TOKEN


def test_a_restricted_file_that_lies_open_beside_under_the_same_name_is_no_success(
    run: MediaRun, tmp_path: Path
) -> None:
    keys = restricted(run)
    run.copies = copies(run, tmp_path)
    run.cloud.put(keys[2].model_copy(update={"delivery": "upload"}), run.cloud.assets.pop(keys[2]).content)
    ending = run.begin()
    assert code(ending) is ExitCode.CHECK_FAILED
    assert keys[2] in run.cloud.assets
    assert "are PUBLIC under the same name" in journal(run)


def test_a_folder_puts_an_authenticated_file_back_as_one_and_says_what_it_does_not_know(
    run: MediaRun, tmp_path: Path
) -> None:
    keys = restricted(run)
    contents = run.cloud.contents()
    root = tmp_path / "folder"
    for key in keys[1:3]:
        suffix = "" if key.resource_type == "raw" else ".jpg"
        (root / f"{key.public_id}{suffix}").parent.mkdir(parents=True, exist_ok=True)
        (root / f"{key.public_id}{suffix}").write_bytes(contents[key])
        del run.cloud.assets[key]
    run.copies = FolderFiles(root, MediaSettings())  # type: ignore[assignment]
    assert code(run.begin()) is ExitCode.DONE
    assert run.cloud.assets[keys[2]].content == contents[keys[2]]
    assert run.result("media_plan")["unguarded"] == 1
    assert "will be PUBLIC" in journal(run)


def test_a_folder_tells_files_of_one_size_apart_by_their_bytes(run: MediaRun, tmp_path: Path) -> None:
    keys = run.fill(9, backed_up=lambda n: False)
    contents, root = run.cloud.contents(), tmp_path / "folder"
    for key in keys:
        path = root / f"{key.public_id}{'' if key.resource_type == 'raw' else '.jpg'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[key])
    for key in keys[:2]:
        del run.cloud.assets[key]
    run.cloud.put(keys[5], contents[keys[5]][::-1], backed_up=False)
    run.copies = FolderFiles(root, MediaSettings())  # type: ignore[assignment]
    assert code(run.begin()) is ExitCode.DONE
    assert run.result("media_upload")["uploaded"] == 3
    assert run.cloud.contents() == contents


def test_names_that_nobody_understands_are_counted_by_column(run: MediaRun) -> None:
    run.fill(3)
    run.world.references += [
        reference(90, "data:image/png;base64,xxxx"), reference(91, "https://files.example.org/image/upload/v1/q.jpg"),
        reference(92, "https://res.cloudinary.com/other/image/upload/v1/q.jpg"),
    ]  # fmt: skip
    assert code(run.begin()) is ExitCode.DONE
    seen = run.result("media")
    assert (seen["unread"], seen["elsewhere_in"], seen["missing"]) == (
        {"file_uploads_uploadedfile.file": 2}, {"file_uploads_uploadedfile.file": 1}, 0,
    )  # fmt: skip
    assert (
        "NOT CHECKED, because uscdr does not understand these file names: file_uploads_uploadedfile.file: 2 rows"
        in journal(run)
    )
    assert "q.jpg" not in journal(run)


def test_where_nothing_is_lost_nobody_has_to_confirm_it(run: MediaRun) -> None:
    run.fill(5)
    assert code(run.begin()) is ExitCode.DONE
    before, run.person.interactive = len(run.world.writes), False
    assert code(run.begin()) is ExitCode.DONE
    assert run.world.writes[before:] == []
