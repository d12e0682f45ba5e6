"""A media disaster: files are gone or overwritten, and every byte must come back."""

from __future__ import annotations

from uscdr.drills.disaster import Aftermath, Disaster
from uscdr.drills.kit import build
from uscdr.drills.stage import Stage
from uscdr.drills.truth import Finding, same_rows
from uscdr.models.media import RESOURCE_TYPES, Asset
from uscdr.scenarios.deps import Deps, Request


class MediaDisaster(Disaster):
    """Two files in three are damaged; a kit of the healthy state has what the service's own backup lacks."""

    scenario, path = "media", "break/media"

    def prepare(self, stage: Stage) -> None:
        """Build a kit, as a clinic does every night."""
        kit = build(stage)
        self.identity, self._kit = kit.identity, kit.name

    def request(self) -> Request:
        """The service's own backup first, the kit for the rest."""
        return Request("media", kit=self._kit)

    def judge(self, stage: Stage, seen: Aftermath) -> tuple[Finding, ...]:
        """Every file by the MD5 of its bytes as they are delivered now; the rows are not touched."""
        return (files_are_back(stage), same_rows(seen.before, seen.after))


def files_are_back(stage: Stage) -> Finding:
    """Fetch every file that the service held in the beginning, and hash it."""
    seeded = {(one["resource_type"], one["public_id"]): one["md5"] for one in stage.control("GET", "media/truth")}
    with stage.look(Request("media")) as deps:
        found = _digests(deps)
    wrong = sum(found.get(key) != md5 for key, md5 in seeded.items())
    words = f"{len(seeded) - wrong} of {len(seeded)} files have the bytes they had"
    return Finding("every file is as it was", bool(seeded) and not wrong, words)


def _digests(deps: Deps) -> dict[tuple[str, str], str]:
    """MD5 of every file's bytes, by type and public id."""
    if deps.media is None:
        return {}
    service = deps.media.open_old()
    there = [one for kind in RESOURCE_TYPES for page in service.list_assets(kind) for one in page if one.present]

    def digest(number: int, asset: Asset) -> str:
        return service.download(asset, deps.work / f"fetched-{number}").md5

    return {(one.key.resource_type, one.key.public_id): digest(number, one) for number, one in enumerate(there)}
