"""Shows a kit after its build and after a check."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from uscdr.kit.check import LOST, Examination
from uscdr.models.base import aged
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import draw_table
from uscdr.words import plural, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uscdr.kit.build import Built
    from uscdr.kit.freshness import Freshness, Reason
    from uscdr.kit.manifest import Card, DumpProof, KitPart, Manifest
    from uscdr.ui.console import Output


def show_built(built: Built, store: str, output: Output) -> None:
    """Print the parts with their gaps, and the store of the kit."""
    card, manifest = built.card, built.manifest
    if output.json_lines:
        output.record(Schema.KIT_BUILD, _built(card, manifest, store))
        return
    draw_table([_row(part) for part in manifest.parts], output)
    for line in _gaps(manifest):
        output.result(line)
    verdict = "complete" if card.complete else "INCOMPLETE"
    output.result(f"{card.kit}: {verdict}, {plural(card.objects, 'object')}, {size(card.bytes)}, in {store}")
    if card.dump is not None and not card.dump.shown:
        output.warn(f"{card.dump.worth}. The dump may fail to restore.")
    output.say(
        "Keep a copy of the kit away from this machine and the platform. To print its card: uscdr kit card --html"
    )


def show_examination(found: Examination, fresh: Freshness, minimum: int | None, output: Output) -> None:
    """Print the parts with their gaps, the damage, the consequences of missing parts, and the freshness."""
    if output.json_lines:
        enough = None if minimum is None else fresh.score >= minimum
        output.record(Schema.KIT_CHECK, _record(found, fresh, enough=enough))
        return
    if found.manifest is not None:
        draw_table([_row(part) for part in found.manifest.parts], output)
        for line in (*_gaps(found.manifest), *_losses(found.manifest)):
            output.result(line)
    for finding in found.findings:
        output.result(f"DAMAGE: {finding}")
    draw_table([_reason(one) for one in fresh.reasons], output)
    output.result(_freshness(fresh, minimum))
    output.result(f"{found.card.kit}: {_verdict(found)}")


def _reason(one: Reason) -> dict[str, object]:
    points = "?" if one.state == "unknown" else str(one.points)
    return {"freshness": one.question, "points": f"{points} of {one.of}", "why": one.words}


def _freshness(fresh: Freshness, minimum: int | None) -> str:
    unknown = f", {fresh.unknown} more unknown" if fresh.unknown else ""
    verdict = "" if minimum is None or fresh.score >= minimum else f": BELOW THE MINIMUM of {minimum}"
    return f"Freshness: {fresh.score} of 100 points{unknown}{verdict}"


def _age(at: datetime) -> str:
    return aged(at, datetime.now(UTC))


def _verdict(found: Examination) -> str:
    old = f"{_age(found.card.created_at)} old"
    count = f"{plural(found.checked, 'object')}, {size(found.bytes)}, {old}"
    if not found.sound:
        return f"DAMAGED ({count}): {plural(len(found.lost), 'damaged or missing object')}"
    whole = "complete" if found.card.complete else "INCOMPLETE"
    if found.manifest is None:
        return (
            f"{whole} by its card, all checksums match ({count} by its card); "
            "NOT CHECKED: the contents (pass --identity FILE)"
        )
    return f"{whole}, uscdr decrypted every object ({count})"


class _BuildObject(TypedDict):
    kit: str
    complete: bool
    objects: int
    bytes: int
    manifest_sha256: str
    dump: DumpProof | None
    place: str
    parts: Sequence[KitPart]


class _CheckObject(TypedDict):
    kit: str
    sound: bool
    complete: bool
    opened: bool
    created_at: datetime
    objects: int
    bytes: int
    findings: Sequence[str]
    damaged: int
    parts: Sequence[KitPart] | None
    lost: Sequence[str] | None
    freshness: Freshness
    fresh_enough: bool | None


def _built(card: Card, manifest: Manifest, store: str) -> _BuildObject:
    return {
        "kit": card.kit,
        "complete": card.complete,
        "objects": card.objects,
        "bytes": card.bytes,
        "manifest_sha256": card.manifest_sha256,
        "dump": card.dump,
        "place": store,
        "parts": manifest.parts,
    }


def _record(found: Examination, fresh: Freshness, *, enough: bool | None) -> _CheckObject:
    manifest = found.manifest
    return {
        "kit": found.card.kit,
        "sound": found.sound,
        "complete": found.card.complete,
        "opened": manifest is not None,
        "created_at": found.card.created_at,
        "objects": found.checked,
        "bytes": found.bytes,
        "findings": found.findings,
        "damaged": len(found.lost),
        "parts": manifest.parts if manifest else None,
        "lost": _losses(manifest) if manifest else None,
        "freshness": fresh,
        "fresh_enough": enough,
    }


def _row(part: KitPart) -> dict[str, object]:
    old = _age(part.taken_at) if part.taken_at else None
    return {"part": part.name, "state": part.state, "age": old, "content": part.summary}


def _gaps(manifest: Manifest) -> list[str]:
    return [f"{part.name}: no {gap.what}: {gap.why}" for part in manifest.parts for gap in part.gaps]


def _losses(manifest: Manifest) -> list[str]:
    """The consequences of missing parts for a rebuild."""
    absent = [part.name for part in manifest.parts if part.state in ("missing", "left out")]
    return [f"This kit cannot rebuild {name}: {LOST[name]}" for name in absent]
