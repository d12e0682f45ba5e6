"""Which backup is taken, what is passed over, what goes, what is asked before the restore."""

from __future__ import annotations

from tools.mutate.lists import rooms

_BACKUPS, _STEPS = "tests/unit/backups", "tests/unit/scenarios"
_CATALOG, _RETENTION, _RPO, _GRADE, _PROVE = (
    f"{_BACKUPS}/test_backup_{one}.py" for one in ("catalog", "retention", "rpo", "grade", "prove")
)
_WALK, _BEFORE = f"{_STEPS}/test_walk_past_the_damage.py", f"{_STEPS}/test_proof_before_the_phrase.py"
_ONE, _WHOLE, _WAY_BACK = (
    f"{_STEPS}/backups/test_one_judgement_of_a_backup.py",
    f"{_STEPS}/backups",
    f"{_STEPS}/test_way_back.py",
)
_ENGINE = tuple(f"tests/unit/engine/test_{one}.py" for one in ("run_whole", "gate_before_writes", "nothing_sent_twice"))
_TRANSFERS = "tests/unit/models/test_transfers.py"

_choose = rooms.of("choose", _WALK, _BEFORE, _WAY_BACK, _ONE, *_ENGINE, _STEPS)
_transfer = rooms.of("transfers", _TRANSFERS, _CATALOG, _ONE, _WHOLE)
_catalog = rooms.of("catalog", _CATALOG, _ONE, _GRADE, _BACKUPS, _WHOLE)
_keep = rooms.of("retention", _RETENTION, _CATALOG, _WHOLE)
_rpo = rooms.of("rpo", _RPO, _CATALOG, _WHOLE)
_walk = rooms.of("walk", _WALK, _BEFORE, _PROVE, _STEPS)
_restore = rooms.of("restore", *_ENGINE, _BEFORE, "tests/unit/engine", _STEPS)

CHOOSE = (
    _choose(
        "oldest",
        "listed = list(with_reasons(reversed(transfers), damaged))",
        "listed = list(with_reasons(transfers, damaged))",
        "the oldest backup is taken",
    ),
    _choose(
        "damaged",
        "yield one, DAMAGED if one.id in damaged else one.unfit",
        "yield one, one.unfit",
        "the capture of the damaged state is taken",
    ),
    _choose(
        "unfit",
        "fit = tuple(transfer for transfer, reason in listed if not reason)",
        "fit = tuple(transfer for transfer, _ in listed)",
        "the newest backup is taken, not the newest good one",
    ),
)

TRANSFERS = (
    _transfer(
        "whole",
        "self.is_backup and self.state is TransferState.COMPLETED and self.processed_bytes > 0",
        "self.is_backup and self.state is TransferState.COMPLETED",
        "an empty backup was once whole",
    ),
    _transfer(
        "taken-at",
        "return self.started_at or self.created_at",
        "return self.finished_at or self.created_at",
        "a backup counts from its end",
        survives="",
    ),
    _transfer(
        "other",
        "if self.whose is Whose.OTHER:\nreturn self._of_another",
        "if not self.id:\n    return self._of_another",
        "another database's backup is taken",
    ),
    _transfer(
        "expired",
        'if self.expired:\nreturn "expired',
        'if not self.id:\n    return "expired',
        "a backup whose file is gone is taken",
    ),
    _transfer("empty", 'return "" if self.processed_bytes else "empty"', 'return ""', "an empty backup is taken"),
    _transfer(
        "failed",
        "if self.state is not TransferState.COMPLETED:\nreturn self.state.value",
        "if not self.ended:\n    return self.state.value",
        "a failed backup is taken",
    ),
)

CATALOG = (
    _catalog(
        "damaged",
        "if self.damaged_state:\nreturn DAMAGED\nreturn self.lost",
        "return self.lost",
        "a damaged state is one to rely on",
    ),
    _catalog(
        "other",
        "if self.whose is not Whose.OURS:\nreturn self.transfer.unfit",
        "if not self.whose:\n    return self.transfer.unfit",
        "a copy of another database is one to rely on",
    ),
    _catalog(
        "proven",
        "return not self.unfit and self.shown_good",
        "return self.shown_good",
        "what is there no more is proven",
    ),
    _catalog(
        "sound", "self.proof is not None and self.proof.sound", "self.proof is not None", "a proof that failed proves"
    ),
)

RETENTION = (
    _keep(
        "unproven",
        "proven = [one for one in held if one.proven]\nif not proven:",
        "proven = list(held)\nif not proven:",
        "copies go without a proven one",
    ),
    _keep(
        "newer",
        "if one.id not in kept and _order(one) < _order(newest)]",
        "if one.id not in kept]",
        "copies newer than the proven one go",
    ),
    _keep(
        "kept",
        "if one.id not in kept and _order(one) < _order(newest)]",
        "if _order(one) < _order(newest)]",
        "what the rule keeps goes",
    ),
    _keep(
        "newest-proven",
        "newest = max(proven, key=_order)",
        "newest = min(proven, key=_order)",
        "the oldest proven copy decides what goes",
    ),
    _keep(
        "period",
        "key=lambda one: (one.proven, _order(one))",
        "key=lambda one: _order(one)",
        "a period keeps an unproven copy before a proven one",
    ),
    _keep(
        "latest",
        "latest = sorted(best, reverse=True)[:count]",
        "latest = sorted(best)[:count]",
        "the oldest periods are kept",
    ),
    _keep("week", "isocalendar()[:2]", "isocalendar()[:1]", "a week is a year"),
    _keep(
        "day",
        "return tuple(at.astimezone(UTC).timetuple()[:3])",
        "return tuple(at.astimezone(UTC).timetuple()[:2])",
        "a day is a month",
    ),
    _keep(
        "one-too-few",
        "latest = sorted(best, reverse=True)[:count]",
        "latest = sorted(best, reverse=True)[: count - 1]",
        "one period less is kept",
    ),
    _keep(
        "leftover",
        "if now - written > LEFTOVER_AFTER",
        "if now >= written",
        "a copy that is being made is removed as a leftover",
    ),
    _keep(
        "database",
        'database = "" if entry.whose is Whose.OURS else card.origin.addon_id',
        'database = "" if entry.whose else card.origin.addon_id',
        "copies of another database decide what goes of ours",
    ),
    _keep(
        "manifest-first",
        'store.delete(inside(copy, MANIFEST))\nfor name in store.names(f"{BACKUPS}/{copy}"):',
        'for name in reversed(store.names(f"{BACKUPS}/{copy}")):',
        "a manifest names for a while what is gone",
    ),
    _keep(
        "retained",
        "except StoreRetains:\nreturn False",
        "except StoreRetains:\n    return True",
        "what the store keeps is called removed",
        f"{_WHOLE}/test_single_writes.py::test_a_removal_says_what_the_bucket_keeps_and_claims_nothing_that_its_retention_holds",
    ),
    _keep(
        "phrase",
        'f"{copies}, {self.bytes} bytes" if self.copies',
        '"remove copies" if self.copies',
        "the phrase does not say how much goes",
    ),
)

RPO = (
    _rpo(
        "often",
        "met=enough and proven_age is not None and proven_age <= objective",
        "met=proven_age is not None and proven_age <= objective",
        "a fresh copy meets the objective though the next is due tomorrow",
    ),
    _rpo(
        "age",
        "met=enough and proven_age is not None and proven_age <= objective",
        "met=enough and proven_age is not None",
        "an old copy meets the objective",
    ),
    _rpo(
        "unproven",
        "if one.there and one.off_platform and one.proven]",
        "if one.there and one.off_platform]",
        "an unproven copy meets the objective",
    ),
    _rpo(
        "platform",
        "if one.there and one.off_platform and one.proven]",
        "if one.there and one.proven]",
        "a backup on the platform meets the objective",
    ),
    _rpo(
        "gone",
        "if one.there and one.off_platform and one.proven]",
        "if one.off_platform and one.proven]",
        "a copy that is gone meets the objective",
    ),
    _rpo(
        "capture",
        "worst = min(rhythm) + capture if rhythm else None",
        "worst = min(rhythm) if rhythm else None",
        "the time that a backup takes is lost for nothing",
    ),
    _rpo(
        "since",
        "ends = [*moments[1:], max(now, moments[-1])]",
        "ends = [*moments[1:], moments[-1]]",
        "captures that stopped are no gap",
    ),
    _rpo(
        "unknown",
        "enough = worst is not None and worst <= objective",
        "enough = worst is None or worst <= objective",
        "what is not known is often enough",
    ),
    _rpo(
        "day",
        "_largest(_gaps(made, now), now - DAY)",
        "_largest(_gaps(made, now), now - WEEK)",
        "a gap of last week counts",
    ),
    _rpo(
        "due",
        "return proven[-1].taken_at + timedelta(seconds=objective)",
        "return datetime.now(UTC) + timedelta(seconds=objective)",
        "the next copy is due later than it is",
    ),
)

WALK = (
    _walk(
        "reason",
        "if not reason:\nreturn _taken(",
        "if transfer:\n    return _taken(",
        "the newest backup is taken, damaged or not",
    ),
    _walk(
        "strange",
        "wants = wants or _newer_than_live(way, proof)",
        'wants = wants or ""',
        "a backup of newer code is taken",
    ),
)

RESTORE = (
    _restore(
        "gone",
        'unfit="it no longer exists" if backup is None else backup.unusable',
        'unfit="it no longer exists" if backup is None else ""',
        "a backup that expired is restored",
    ),
)

ALL = (*CHOOSE, *TRANSFERS, *CATALOG, *RETENTION, *RPO, *WALK, *RESTORE)
