"""Points of freshness: every question by itself, what is not known apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from uscdr.backups.proofs import Grade
from uscdr.kit.freshness import GRADES, PART_WEIGHTS, WEIGHTS, Freshness, Now, Reason, Seen
from uscdr.kit.manifest import PARTS, Card, DumpProof, Fingerprints, KitContact, KitPart, Manifest, PartName

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
RPO = 4 * 3600.0
COMMIT = "0" * 40


def proof(**instead: Any) -> DumpProof:
    return DumpProof(**{"grade": Grade.DECRYPTS, "origin": "build", "proven_at": AT - timedelta(hours=1), **instead})


def manifest(**instead: Any) -> Manifest:
    facts: dict[str, Any] = {
        "format": 1, "kit": "k", "created_at": AT, "uscdr": "1", "app": "usc-pis", "target": "production",
        "account": "a", "scenarios_digest": "d", "recipients": ("aa", "bb"), "objects": (), "dump": proof(),
        "parts": tuple(KitPart(name=name, state="complete", taken_at=AT - timedelta(hours=1)) for name in PARTS),
        "fingerprints": Fingerprints(salt="00", values={"A": "1"}),
        "contacts": (KitContact(role="Lead", name="Ada", how="+63 2 1234"),), "rpo": RPO,
    }  # fmt: skip
    return Manifest(**{**facts, **instead})


def seen(inside: Manifest | None = None, **instead: Any) -> Seen:
    """A kit that could not be better, but for what is told."""
    inside = inside or manifest()
    card = Card(
        format=1, kit="k", created_at=AT, uscdr="1", app="usc-pis", target="production", recipients=inside.recipients,
        complete=True, parts=inside.card_parts(), objects=1, bytes=1, manifest_sha256="0", sums_sha256="0",
        dump=inside.card_dump(), rpo=RPO,
    )  # fmt: skip
    whole = Seen(
        at=AT, card=card, rpo=RPO, manifest=inside, commit=COMMIT, media=(3, 3),
        now=Now(config_changed=(), commit=COMMIT, media_backup=True),
    )  # fmt: skip
    return replace(whole, **instead)


def reason(found: Freshness, question: str) -> Reason:
    return next(one for one in found.reasons if one.question == question)


def without(name: PartName, state: str) -> Manifest:
    return manifest(parts=tuple(KitPart.model_validate({"name": one, "state": state if one == name else "complete"})
                                for one in PARTS))  # fmt: skip


def test_weights_add_up() -> None:
    assert sum(WEIGHTS.values()) == 100
    assert sum(PART_WEIGHTS.values()) == WEIGHTS["parts"]
    assert max(GRADES.values()) == WEIGHTS["dump proof"]


def test_the_best_kit_has_every_point() -> None:
    found = Freshness.of(seen())
    assert (found.score, found.unknown) == (100, 0)
    assert {one.state for one in found.reasons} == {"good"}
    assert tuple(one.question for one in found.reasons) == tuple(WEIGHTS)


@pytest.mark.parametrize(
    ("hours", "points"), [(0, 15), (4, 15), (4.01, 10), (24, 10), (24.1, 4), (168, 4), (168.1, 0), (5000, 0)]
)
def test_the_dump_ages_against_the_objective(hours: float, points: int) -> None:
    parts = tuple(KitPart(name=name, state="complete", taken_at=AT - timedelta(hours=hours)) for name in PARTS)
    assert reason(Freshness.of(seen(manifest(parts=parts))), "dump age").points == points


def test_a_dump_of_the_future_is_not_known_to_be_young() -> None:
    parts = tuple(KitPart(name=name, state="complete", taken_at=AT + timedelta(hours=1)) for name in PARTS)
    assert reason(Freshness.of(seen(manifest(parts=parts))), "dump age").state == "unknown"
    assert reason(Freshness.of(seen(manifest(dump=proof(proven_at=AT + timedelta(hours=1))))), "proof age").points == 0


@pytest.mark.parametrize(
    ("verdict", "points"),
    [
        (proof(), 15),
        (proof(grade=Grade.INVARIANTS), 10),
        (proof(grade=Grade.RESTORES), 5),
        (proof(grade=Grade.DECODES), 0),
        (proof(grade=Grade.EXISTS, origin="left out", proven_at=None), 0),
        (proof(grade=Grade.DECRYPTS, origin="failed", proven_at=None), 0),
        (None, 0),
    ],
)
def test_a_dump_is_worth_what_a_restore_showed(verdict: DumpProof | None, points: int) -> None:
    assert reason(Freshness.of(seen(manifest(dump=verdict))), "dump proof").points == points


@pytest.mark.parametrize(("days", "points"), [(7, 5), (7.1, 2), (31, 2), (32, 0)])
def test_a_proof_ages(days: float, points: int) -> None:
    old = proof(proven_at=AT - timedelta(days=days))
    assert reason(Freshness.of(seen(manifest(dump=old))), "proof age").points == points


@pytest.mark.parametrize("name", ["app", "config", "dns", "dump", "source"])
def test_a_missing_part_costs_its_weight_and_half_a_part_half(name: PartName) -> None:
    assert reason(Freshness.of(seen(without(name, "missing"))), "parts").points == 20 - PART_WEIGHTS[name]
    half = reason(Freshness.of(seen(without(name, "partial"))), "parts")
    assert half.points == 20 - PART_WEIGHTS[name] + PART_WEIGHTS[name] // 2
    assert f"{name} partial" in half.words


def test_what_is_deployed_otherwise_costs_points_and_names_no_value() -> None:
    found = Freshness.of(seen(now=Now(config_changed=("SECRET_KEY",), commit="1" * 40, media_backup=False)))
    assert (found.score, found.unknown) == (100 - 15 - 5 - 5, 0)
    assert reason(found, "config").words == "changed since the build: SECRET_KEY"


def test_what_nobody_asked_earns_nothing_and_is_counted_apart() -> None:
    found = Freshness.of(seen(now=Now()))
    assert (found.score, found.unknown) == (75, 25)
    assert "--online" in reason(found, "config").words


def test_without_an_identity_it_says_what_it_could_not_look_at() -> None:
    found = Freshness.of(replace(seen(), manifest=None, commit=None, media=None))
    assert {one.question for one in found.reasons if one.state == "unknown"} == {"source", "contacts"}
    assert "--identity" in reason(found, "contacts").words
    assert reason(found, "dump proof").points == 15  # the card says that


def test_a_damaged_kit_counts_for_nothing() -> None:
    found = Freshness.of(seen(damaged=2))
    assert found.score == 0
    assert "2 damaged" in found.reasons[0].words


def test_half_the_media_are_half_the_points() -> None:
    inside = without("media", "partial")
    assert reason(Freshness.of(seen(inside, media=(5, 10))), "media").points == 5
    assert reason(Freshness.of(seen(inside, media=(999, 1000))), "media").points == 9
    assert reason(Freshness.of(seen(inside, media=(0, 0))), "media").points == 0
    assert reason(Freshness.of(seen(without("media", "left out"))), "media").points == 0


def test_one_recipient_is_one_accident_away_from_nothing() -> None:
    assert reason(Freshness.of(seen(manifest(recipients=("aa",)))), "recipients").points == 0


@pytest.mark.parametrize(
    ("contacts", "points"),
    [
        ((), 0),
        ((KitContact(role="Lead"),), 0),
        ((KitContact(role="Lead", name="Ada", how="x@example.org"), KitContact(role="DBA", name="TBD", how="?")), 2),
        ((KitContact(role="Lead", name="Ada", how="https://help.example.org/?q=1"),), 5),
    ],
)
def test_contacts_count_when_somebody_can_be_reached(contacts: tuple[KitContact, ...], points: int) -> None:
    assert reason(Freshness.of(seen(manifest(contacts=contacts))), "contacts").points == points


@pytest.mark.parametrize("how", ["", " ", "TBD", "todo: ask", "<phone>", "[number]", "xxxx", "n/a", "…"])
def test_placeholders(how: str) -> None:
    assert KitContact(role="Lead", name="Ada", how=how).is_placeholder
