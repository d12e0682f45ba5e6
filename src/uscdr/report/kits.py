"""Shows a kit after its build and after a check."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from uscdr.kit.check import LOST, Examination
from uscdr.models.base import aged
from uscdr.ui.tables import show_table
from uscdr.words import plural, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uscdr.kit.build import Built
    from uscdr.kit.freshness import Freshness, Reason
    from uscdr.kit.manifest import KitPart, Manifest
    from uscdr.ui.console import Output


def show_built(built: Built, store: str, output: Output) -> None:
    """Print the parts with their gaps, and the store of the kit."""
    card, manifest = built.card, built.manifest
    if output.json_lines:
        facts = card.model_dump(mode="json", include={"kit", "complete", "objects", "bytes", "manifest_sha256", "dump"})
        output.record({**facts, "place": store, "parts": _records(manifest)})
        return
    show_table([_row(part) for part in manifest.parts], output)
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
        output.record({**_record(found), "freshness": fresh.model_dump(mode="json"), "fresh_enough": enough})
        return
    if found.manifest is not None:
        show_table([_row(part) for part in found.manifest.parts], output)
        for line in (*_gaps(found.manifest), *_losses(found.manifest)):
            output.result(line)
    for finding in found.findings:
        output.result(f"DAMAGE: {finding}")
    show_table([_reason(one) for one in fresh.reasons], output)
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


def _record(found: Examination) -> Mapping[str, object]:
    manifest = found.manifest
    return {
        "kit": found.card.kit,
        "sound": found.sound,
        "complete": found.card.complete,
        "opened": manifest is not None,
        "created_at": found.card.created_at.isoformat(),
        "objects": found.checked,
        "bytes": found.bytes,
        "findings": found.findings,
        "damaged": len(found.lost),
        "parts": _records(manifest) if manifest else None,
        "lost": _losses(manifest) if manifest else None,
    }


def _records(manifest: Manifest) -> list[Mapping[str, object]]:
    return [part.model_dump(mode="json") for part in manifest.parts]


def _row(part: KitPart) -> dict[str, object]:
    old = _age(part.taken_at) if part.taken_at else None
    return {"part": part.name, "state": part.state, "age": old, "content": part.summary}


def _gaps(manifest: Manifest) -> list[str]:
    return [f"{part.name}: no {gap.what}: {gap.why}" for part in manifest.parts for gap in part.gaps]


def _losses(manifest: Manifest) -> list[str]:
    """The consequences of missing parts for a rebuild."""
    absent = [part.name for part in manifest.parts if part.state in ("missing", "left out")]
    return [f"This kit cannot rebuild {name}: {LOST[name]}" for name in absent]
