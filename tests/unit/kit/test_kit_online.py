"""A kit against what is deployed: names only, and what cannot be asked is not known."""

from __future__ import annotations

from typing import Any, cast

import pytest

from fakes import APP
from kit_world import COMMIT, SECRET, Cloud, KitPlatform, Workshop, key
from uscdr.kit.check import Deployed
from uscdr.kit.collect.sources import Absent
from uscdr.kit.freshness import Now
from uscdr.kit.manifest import Fingerprints, Manifest
from uscdr.models.media import AssetDetails, AssetKey, AssetVersion


class Backed(Cloud):
    """A cloud whose newest files have so many versions in its backup."""

    versions_kept = 1

    def details(self, key: AssetKey) -> AssetDetails:
        self.downloads.append(key)
        kept = tuple(AssetVersion(version_id=str(number)) for number in range(self.versions_kept))
        return AssetDetails(asset=self.asset(key), versions=kept)


@pytest.fixture
def cloud(shop: Workshop) -> Backed:
    shop.cloud = Backed(files=dict(shop.cloud.files), versions={key(3): 1800000000})
    return shop.cloud


def look(shop: Workshop, manifest: Manifest | None, **instead: Any) -> Now:
    ports: dict[str, Any] = {
        "platform": KitPlatform(shop.world), "deploys": cast("Any", shop.place), "media": shop.cloud, **instead
    }  # fmt: skip
    return Deployed(APP, **ports).look(manifest)


def test_nothing_changed(shop: Workshop, cloud: Backed) -> None:
    manifest = shop.build().manifest
    cloud.downloads.clear()
    assert look(shop, manifest) == Now(config_changed=(), commit=COMMIT, media_backup=True)
    assert cloud.downloads == [key(3)]  # one call, of the newest file


def test_variables_that_changed_came_or_went_are_named_without_their_values(shop: Workshop, cloud: Backed) -> None:
    manifest = shop.build().manifest
    before = manifest.fingerprints
    changed = {**before.values, "PGP_ENCRYPTION_KEY": "0" * 64, "GONE": "1" * 64}
    del changed["DEBUG"]
    older = manifest.model_copy(update={"fingerprints": Fingerprints(salt=before.salt, values=changed)})
    found = look(shop, older)
    assert found.config_changed == ("DEBUG", "GONE", "PGP_ENCRYPTION_KEY")
    assert SECRET not in repr(found)


def test_a_closed_kit_is_not_compared(shop: Workshop, cloud: Backed) -> None:
    found = look(shop, None)
    assert found.config_changed is None
    assert "--identity" in found.why["config"]
    assert found.commit == COMMIT


def test_media_without_a_backup(shop: Workshop, cloud: Backed) -> None:
    cloud.versions_kept = 0
    assert look(shop, None).media_backup is False


def test_no_file_to_tell_by(shop: Workshop, cloud: Backed) -> None:
    cloud.files.clear()
    found = look(shop, None)
    assert found.media_backup is None
    assert "no file" in found.why["media backup"]


def test_what_does_not_answer_is_not_known(shop: Workshop, cloud: Backed) -> None:
    manifest = shop.build().manifest
    cloud.down = True
    shop.world.releases = []
    shop.world.faults["config_vars", 2] = "refused"
    found = look(shop, manifest)
    assert (found.config_changed, found.commit, found.media_backup) == (None, None, None)
    assert set(found.why) == {"config", "source", "media backup"}
    assert "down" in found.why["media backup"]


def test_what_is_not_configured_is_said(shop: Workshop, cloud: Backed) -> None:
    found = look(shop, None, media=Absent("No cloud."), deploys=Absent("No builds."))
    assert (found.why["media backup"], found.why["source"]) == ("No cloud.", "No builds.")


def test_a_mistake_of_ours_is_not_swallowed(shop: Workshop) -> None:
    class Wrong(KitPlatform):
        def config_vars(self, app: str) -> Any:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        look(shop, shop.build().manifest, platform=Wrong(shop.world))
