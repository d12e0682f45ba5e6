"""A sample of the files is looked for; names of files are never told."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fake_media import STORED, Cloud, FakeMedia
from fake_surroundings import NOW, PLANTED, Place, Rows, checked, remembering, verdict
from fake_surroundings import world as platform_world
from fakes import World as Provider
from uscdr.checks.context import CheckContext
from uscdr.checks.verdict import Finding
from uscdr.errors import CredentialsRefused, NotFound, ProviderError, RateLimited
from uscdr.models.data_settings import ReferenceColumn
from uscdr.models.media import Asset, AssetDetails, AssetKey, FileReferences, MediaDownload, StoredReference
from uscdr.providers.ports.media import Delivered
from uscdr.providers.ports.progress import Progress


class Clinic:
    """So many files, two of three pictures, each with its row; the later ones are newer."""

    def __init__(self, number: int = 6) -> None:
        self.cloud = Cloud("clinic", Provider())
        self.rows = Rows()
        self.place = Place()
        for n in range(number):
            raw = n % 3 == 2
            name = f"{PLANTED}-{n}" + (".pdf" if raw else "")
            key = AssetKey(resource_type="raw" if raw else "image", public_id=f"media/{name}")
            self.cloud.put(key, f"content of {n}".encode())
            self.refer(name if n % 2 else f"media/{name}", n)

    def refer(self, value: str, number: int, size: int | None = None) -> None:
        written = STORED + timedelta(minutes=number)
        self.rows.found.append(
            StoredReference(table="files", column="file", key=str(number), value=value, created_at=written, bytes=size)
        )

    def keys(self) -> list[AssetKey]:
        return list(self.cloud.assets)

    def world(self, media: FakeMedia | None = None, **more: Any) -> CheckContext:
        return platform_world(self.place, rows=self.rows, media=media or FakeMedia(self.cloud), **more)

    def verdict(self, **fields: Any) -> tuple[str, str]:
        return verdict(self.world(), "media", **fields)

    def calls(self, kind: str) -> int:
        return self.cloud.world.calls[f"media_{kind}"]


def test_all_files_are_there() -> None:
    clinic = Clinic()
    words = "6 of 6 files looked up, all there; 3 downloaded and equal"
    assert clinic.verdict() == ("pass", words)
    assert (clinic.calls("ping"), clinic.calls("look_up"), clinic.calls("details")) == (1, 2, 3)
    assert clinic.cloud.world.writes == []


def test_the_files_are_compared_side_by_side() -> None:
    clinic, together = Clinic(), threading.Barrier(3)

    class Waiting(FakeMedia):
        def download(self, asset: Asset, destination: Path, progress: Progress | None = None) -> MediaDownload:
            together.wait(30)  # breaks unless all three are under way at once
            return super().download(asset, destination)

    assert verdict(clinic.world(Waiting(clinic.cloud)), "media")[0] == "pass"


def test_the_files_to_download_are_described_while_the_sample_is_looked_up() -> None:
    clinic, described = Clinic(), threading.Event()

    class Foreseeing(FakeMedia):
        def details(self, key: AssetKey) -> AssetDetails:
            described.set()
            return super().details(key)

        def look_up(self, keys: Sequence[AssetKey]) -> Mapping[AssetKey, Asset]:
            assert described.wait(30)
            return super().look_up(keys)

    assert verdict(clinic.world(Foreseeing(clinic.cloud)), "media")[0] == "pass"
    assert clinic.calls("details") == 3


def test_the_rows_are_read_while_the_service_is_asked_and_count_only_if_it_answers() -> None:
    clinic, read = Clinic(), threading.Event()

    class Deaf(Rows):
        def file_references(self, columns: Sequence[ReferenceColumn]) -> FileReferences:
            read.set()
            raise ProviderError("The database is away.", provider="fake")

    class Refusing(FakeMedia):
        def ping(self) -> None:
            assert read.wait(30)
            raise CredentialsRefused("Refused.", provider="fake", next_action="Look.")

    clinic.rows = Deaf()
    words = "the media service refused the application's credentials"
    assert verdict(clinic.world(Refusing(clinic.cloud)), "media") == ("fail", words)


def test_no_download_leaves_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert Clinic().verdict()[0] == "pass"
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_missing_or_only_placeholders() -> None:
    clinic = Clinic()
    clinic.cloud.delete(clinic.keys()[1])
    del clinic.cloud.assets[clinic.keys()[2]]
    assert clinic.verdict() == ("fail", "2 of 6 sampled files are missing; 6 of 6 files looked up")


def test_files_that_are_not_of_the_size_that_their_rows_tell() -> None:
    clinic = Clinic(1)
    clinic.refer(f"{PLANTED}-0", 1, len("content of 0"))
    assert clinic.verdict() == ("pass", "1 of 1 files looked up, all there; 1 downloaded and equal")
    clinic.refer(f"{PLANTED}-0", 2, 7)
    words = "1 of 1 sampled files are not of the size in their rows; 1 of 1 files looked up"
    assert clinic.verdict() == ("fail", words)


def test_files_that_were_replaced_are_told() -> None:
    clinic = Clinic()
    for key in clinic.keys()[:2]:
        clinic.cloud.overwrite(key, b"other")
    assert clinic.verdict()[1].endswith("; 2 were replaced after they were stored")


def test_a_file_whose_bytes_are_not_what_the_service_says() -> None:
    clinic = Clinic()

    class Rotten(FakeMedia):
        def download(self, asset: Asset, destination: Path, progress: Progress | None = None) -> MediaDownload:
            return super().download(asset, destination).model_copy(update={"md5": "0" * 32})

    found, evidence = verdict(clinic.world(Rotten(clinic.cloud)), "media")
    assert (found, "3 of 3 downloaded files differ from" in evidence) == ("fail", True)


def test_a_file_that_is_listed_and_not_delivered() -> None:
    clinic = Clinic()

    class Undelivered(FakeMedia):
        def download(self, asset: Asset, destination: Path, progress: Progress | None = None) -> MediaDownload:
            raise NotFound("There is no file.", provider="fake")

    assert verdict(clinic.world(Undelivered(clinic.cloud)), "media")[0] == "fail"
    assert verdict(clinic.world(Undelivered(clinic.cloud)), "media", bytes=0)[0] == "pass"


def test_a_digest_of_another_kind_leaves_the_size() -> None:
    clinic = Clinic()

    class Pieced(FakeMedia):
        wrong = 0

        def download(self, asset: Asset, destination: Path, progress: Progress | None = None) -> MediaDownload:
            got = super().download(asset, destination)
            return got.model_copy(update={"size": got.size + self.wrong})

        def look_up(self, keys: Sequence[AssetKey]) -> Mapping[AssetKey, Asset]:
            return {key: one.model_copy(update={"etag": "abc-2"}) for key, one in super().look_up(keys).items()}

    media = Pieced(clinic.cloud)
    assert verdict(clinic.world(media), "media")[0] == "pass"
    media.wrong = 1
    assert verdict(clinic.world(media), "media")[0] == "fail"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CLOUDINARY_CLOUD_NAME", "other", "CLOUDINARY_CLOUD_NAME names another cloud than the target, clinic"),
        ("CLOUDINARY_CLOUD_NAME", "", "not set: CLOUDINARY_CLOUD_NAME"),
        ("CLOUDINARY_API_SECRET", " ", "not set: CLOUDINARY_API_SECRET"),
    ],
)
def test_an_application_that_is_configured_for_no_or_another_cloud(name: str, value: str, words: str) -> None:
    clinic = Clinic()
    clinic.place.vars[name] = value
    assert clinic.verdict() == ("fail", words)
    assert clinic.cloud.admin_calls == 0


def test_credentials_that_are_not_accepted() -> None:
    clinic = Clinic()
    clinic.cloud.refuses = CredentialsRefused
    assert clinic.verdict() == ("fail", "the media service refused the application's credentials")


def test_a_used_up_allowance_makes_no_verdict() -> None:
    clinic = Clinic()
    for remaining in (1, 500, 1_010):  # of 10,000; the check itself may take some
        clinic.cloud.remaining = remaining
        found, evidence = clinic.verdict()
        assert found == "not checked"
        assert f"{remaining - 1:,} of 10,000 calls of the media service's rate limit are left" in evidence
    clinic.cloud.remaining = 1_100
    assert clinic.verdict()[0] == "pass"


def test_one_that_is_used_up_meanwhile_makes_no_verdict() -> None:
    clinic = Clinic()
    clinic.cloud.refuses = RateLimited
    with pytest.raises(RateLimited):
        clinic.verdict()


def test_a_target_without_media_is_not_checked() -> None:
    assert verdict(replace(Clinic().world(), media=None), "media")[0] == "not checked"


def test_a_database_without_references() -> None:
    clinic = Clinic()
    healthy = checked(clinic.world(), "media")
    clinic.rows.found.clear()
    assert clinic.verdict()[0] == "inconclusive"
    found, evidence = verdict(remembering(clinic.world(), healthy), "media")
    assert (found, "the baseline has 6" in evidence) == ("fail", True)
    clinic.refer(f"https://files.example/{PLANTED}.jpg", 1)
    assert "1 rows name files outside of the cloud" in clinic.verdict()[1]
    assert verdict(clinic.world(references=()), "media")[0] == "inconclusive"


def test_columns_that_are_not_there_are_told() -> None:
    clinic = Clinic()
    clinic.rows.absent = ("files.thumbnail",)
    assert "1 configured columns do not exist in the database" in clinic.verdict()[1]


def test_a_name_that_stands_in_two_rows_is_one_file() -> None:
    clinic = Clinic(1)
    clinic.refer(f"{PLANTED}-0", 5)
    assert clinic.verdict()[1].startswith("1 of 1 files")


def test_the_address_of_a_file_is_resolved_too() -> None:
    clinic = Clinic(1)
    clinic.refer(f"https://res.example/clinic/image/upload/v12/media/{PLANTED}-0", 5)
    assert clinic.verdict()[0] == "pass"
    clinic.refer(f"https://res.example/clinic/image/upload/v12/media/{PLANTED}-7", 6)
    assert clinic.verdict()[1].startswith("1 of 3 sampled files are missing")


def test_a_column_may_say_what_its_storage_makes_of_names() -> None:
    clinic = Clinic(0)
    clinic.cloud.put(AssetKey(resource_type="raw", public_id="media/report.jpg"), b"1")
    clinic.refer("report.jpg", 1)
    column = ReferenceColumn(column="files.file", resource_type="image")
    assert verdict(clinic.world(references=(column,)), "media")[0] == "fail"
    assert clinic.verdict()[0] == "pass"


class Noting(FakeMedia):
    """Notes what it is asked for."""

    def __init__(self, state: Cloud) -> None:
        super().__init__(state)
        self.asked: set[str] = set()

    def look_up(self, keys: Sequence[AssetKey]) -> Mapping[AssetKey, Asset]:
        found = super().look_up(keys)
        self.asked |= {key.public_id for key in found}
        return found


def test_the_sample_has_the_newest_files_and_moves_on_until_all_were_seen() -> None:
    clinic, seen = Clinic(100), []
    for day in range(11):  # 97 others, nine a day
        media = Noting(clinic.cloud)
        finding = _on(clinic, media, day)
        assert (finding.verdict, finding.evidence[:19]) == ("pass", "12 of 100 files loo")
        assert {f"media/{PLANTED}-{n}" for n in (97, 99)} <= media.asked
        seen.append(media.asked)
    assert len(set.union(*seen)) == 100
    again = Noting(clinic.cloud)
    _on(clinic, again, 0)
    assert again.asked == seen[0]


def _on(clinic: Clinic, media: FakeMedia, day: int) -> Finding:
    seen = replace(clinic.world(media), now=lambda: NOW + timedelta(days=day))
    return checked(seen, "media", sample=12, bytes=0)


def test_a_large_sample_is_cut_to_what_six_calls_can_tell() -> None:
    clinic = Clinic(600)
    found, evidence = clinic.verdict(sample=600, bytes=0)
    assert (found, clinic.calls("look_up")) == ("pass", 6)
    assert int(evidence.partition(" ")[0]) >= 100


def test_restricted_files_are_looked_up_where_they_are_and_a_public_twin_is_a_failure() -> None:
    clinic = Clinic(1)
    secret = AssetKey(resource_type="raw", public_id="media/secret.pdf", delivery="authenticated")
    clinic.cloud.put(secret, b"secret")
    clinic.refer("https://res.cloudinary.com/" + clinic.world().expected.cloud + f"/{secret}", 3, 6)
    assert clinic.verdict() == ("pass", "2 of 2 files looked up, all there; 2 downloaded and equal")
    clinic.cloud.put(secret.model_copy(update={"delivery": "upload"}), b"secret")
    found, evidence = clinic.verdict()
    assert (found, "1 of 2 sampled files are restricted, but public under the same name" in evidence) == ("fail", True)


def test_a_file_that_users_are_refused_although_nothing_restricts_it() -> None:
    clinic = Clinic()

    class Shut(FakeMedia):
        def delivered(self, url: str) -> Delivered:
            return "withheld"

    found, evidence = verdict(clinic.world(Shut(clinic.cloud)), "media")
    assert (found, "3 of 3 downloaded files are unrestricted, but the service refuses them" in evidence) == (
        "fail",
        True,
    )


def test_names_that_are_not_understood_are_counted() -> None:
    clinic = Clinic(1)
    clinic.refer("data:image/png;base64,xxxx", 3, 0)
    assert clinic.verdict() == (
        "pass", "1 of 1 files looked up, all there; 1 downloaded and equal; 1 stored file names have an unknown format"
    )  # fmt: skip
