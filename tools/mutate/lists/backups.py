"""Which backup is taken, what is passed over, what goes, what is asked before the restore."""

from __future__ import annotations

from tools.mutate.lists import rooms

_VAULT, _STEPS = "tests/unit/vault", "tests/unit/scenarios"
_CATALOG, _RETENTION, _RPO, _GRADE, _PROVE = (
    f"{_VAULT}/test_backup_{one}.py" for one in ("catalog", "retention", "rpo", "grade", "prove")
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
_catalog = rooms.of("catalog", _CATALOG, _ONE, _GRADE, _VAULT, _WHOLE)
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
    _choose(
        "others",
        "if one.is_backup:\nyield one, DAMAGED",
        "if one.id:\n    yield one, DAMAGED",
        "a restore or copy is taken for a backup",
    ),
    _choose(
        "named-unusable",
        "if found.unusable:\nraise BadInput(",
        "if not found.id:\n    raise BadInput(",
        "a named backup that failed is taken",
    ),
    _choose(
        "named-other",
        "if found is None or not found.is_backup:",
        "if found is None:",
        "a named restore is taken for a backup",
    ),
    _choose(
        "rpo",
        "rpo_met=transfer.age(at) <= deps.config.objectives.rpo",
        "rpo_met=transfer.age(at) >= deps.config.objectives.rpo",
        "an old backup is within the objective",
    ),
    _choose(
        "ours",
        "damaged = deps.memory.damaged | ({ours.id} if ours else frozenset())",
        "damaged = deps.memory.damaged",
        "this run's own capture of the damage is taken",
    ),
    _choose(
        "remembered",
        "damaged = deps.memory.damaged | ({ours.id} if ours else frozenset())",
        "damaged = {ours.id} if ours else frozenset()",
        "an earlier run's capture of the damage is taken",
    ),
    _choose(
        "unwalked",
        "return choice.looked_for and (len(choice.fit) > 1 or bool(deps.earlier().states))",
        "return choice.looked_for and not choice.fit",
        "the newest backup is taken, whatever it lost",
    ),
    _choose(
        "walked-named",
        "return choice.looked_for and (len(choice.fit) > 1 or bool(deps.earlier().states))",
        "return len(choice.fit) > 1 or bool(deps.earlier().states)",
        "a backup that was named is passed over",
    ),
    _choose(
        "refused",
        'if refusal and not back:\nraise CheckFailed(refusal, next_action="Nothing was changed.")',
        'if refusal and back:\n    raise CheckFailed(refusal, next_action="Nothing was changed.")',
        "users are shut out for a backup that will be refused",
    ),
    _choose(
        "key",
        "if not back and not proven_already and not self._key_in_doubt():",
        "if not back and not proven_already:",
        "users are shut out for a backup that the key does not open",
    ),
    _choose(
        "put-back",
        "and not choice.looked_for and choice.chosen.id in deps.memory.damaged",
        "and choice.chosen.id == deps.app",
        "a damaged state that was named is not put back as it is",
    ),
    _choose(
        "expired",
        "newer = takewhile(lambda line: line[1], listed)",
        "newer = takewhile(lambda line: not line[1], listed)",
        "newer ones that were passed over are not told",
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
    _transfer(
        "running",
        "if self.state is not TransferState.COMPLETED:\nreturn self.state.value",
        "if self.state is not TransferState.COMPLETED and self.ended:\n    return self.state.value",
        "a backup that is under way is taken",
    ),
    _transfer(
        "untold-end",
        "return self.state not in (TransferState.PENDING, TransferState.RUNNING)",
        "return self.state is not TransferState.RUNNING",
        "a transfer that waits has ended",
    ),
    _transfer(
        "unknown",
        "return self._of_another if self.whose is Whose.UNKNOWN else self.unusable",
        "return self.unusable",
        "a backup of nobody knows which database is taken unasked",
    ),
    _transfer(
        "name",
        "if end.name != address.name:\nreturn Whose.OTHER",
        "if end.name != address.name:\n    return Whose.OURS",
        "another database's backup is ours",
    ),
    _transfer(
        "host",
        "if end.host == address.host:\nreturn Whose.OURS",
        "if end.name:\n    return Whose.OURS",
        "a fork's backup is ours",
    ),
    _transfer(
        "blocks",
        "if not one.ended and one.whose is not Whose.OTHER",
        "if not one.ended",
        "another database's transfer stands in the way",
    ),
    _transfer(
        "blocks-not",
        "if not one.ended and one.whose is not Whose.OTHER",
        "if not one.ended and one.whose is Whose.OTHER",
        "a transfer under way is no reason to wait",
    ),
    _transfer(
        "room",
        "if kept is not None and len(manual) >= kept",
        "if kept is not None and len(manual) > kept",
        "the platform is said to have room for one more",
    ),
    _transfer(
        "drops",
        "return (manual[0], kept)",
        "return (manual[-1], kept)",
        "the newest is said to go, and the oldest goes",
    ),
    _transfer(
        "kept-expired",
        "one.kind is TransferKind.MANUAL_BACKUP and one.ended and not one.expired",
        "one.kind is TransferKind.MANUAL_BACKUP and one.ended",
        "what is gone already takes room",
    ),
    _transfer(
        "scheduled",
        "one.kind is TransferKind.MANUAL_BACKUP and one.ended and not one.expired",
        "one.is_backup and one.ended and not one.expired",
        "scheduled backups take the room of manual ones",
    ),
    _transfer(
        "usable",
        "one.is_backup and not one.unfit and one.id not in damaged",
        "one.is_backup and not one.unfit",
        "the capture of a damaged state is relied on",
    ),
    _transfer(
        "reads",
        "return ours == theirs",
        "return bool(ours and theirs)",
        "a restore of another backup is taken for ours",
    ),
    _transfer("future", "if elapsed(at, taken_at) <= CLOCKS:", "if at:", "a backup of tomorrow goes without a word"),
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
    _catalog(
        "shown-damaged",
        "return not self.damaged_state and self.proof is not None and",
        "return self.proof is not None and",
        "a damaged state that restores is shown to be good",
    ),
    _catalog(
        "size", "if found is None or found.size != size:", "if found is None:", "a copy that was cut short is whole"
    ),
    _catalog(
        "missing",
        "if found is None or found.size != size:",
        "if found is not None and found.size != size:",
        "a copy without its bytes is whole",
    ),
    _catalog(
        "other-copy",
        'if card.id != copy or not card.dump.path.startswith(inside(copy, "objects/")):',
        "if not card.id:",
        "a card that speaks of another copy counts",
        f"{_VAULT}/test_backup_pull.py",
    ),
    _catalog(
        "no-manifest",
        "for copy in sorted(one for one, there in parts.items() if MANIFEST in there):",
        "for copy in sorted(one for one, there in parts.items() if CARD in there):",
        "a copy without its manifest is whole",
        f"{_VAULT}/test_backup_pull.py",
    ),
    _catalog("newest", "return good[-1]", "return good[0]", "the oldest is the newest"),
    _catalog(
        "newest-good",
        "good = [one for one in found if not one.unfit]",
        "good = [one for one in found if one.name]",
        "the newest is taken, not the newest good one",
    ),
    _catalog("name", "yield (ours or exact)[-1]", "yield exact[-1]", "a name means a newer backup of another database"),
    _catalog(
        "name-old", "yield (ours or exact)[-1]", "yield (ours or exact)[0]", "a name means the oldest of that name"
    ),
    _catalog(
        "owns",
        "return document.app == self.app and (not known or document.addon_id == self.addon_id)",
        "return document.app == self.app",
        "copies of another add-on are ours",
    ),
    _catalog(
        "key",
        "if of.key and known and of.key != known and proof.grade.reaches(Grade.DECRYPTS):",
        "if of.key and not known and proof.grade.reaches(Grade.DECRYPTS):",
        "a proof counts for another key",
    ),
    _catalog(
        "demands",
        "if of.demands and proof.demands and of.demands != proof.demands and",
        "if of.demands and not proof.demands and",
        "a proof counts for invariants that it did not ask",
    ),
    _catalog("app", "if card.origin.app == of.app:", "if card.origin.app:", "copies of another application are ours"),
    _catalog(
        "bytes",
        "_counting(next(filter(None, of_bytes), None) or shown.get(number), of)",
        "_counting(shown.get(number), of)",
        "a proof of a copy's bytes does not count",
    ),
    _catalog(
        "newest-copy",
        "key=lambda card: card.made_at, reverse=True",
        "key=lambda card: card.made_at",
        "the oldest copy of a backup counts",
    ),
    _catalog(
        "sizes",
        "if entry.once_whole:\nsizes.append(entry.size)",
        "sizes.append(entry.size)",
        "the size of a failed backup makes others plausible",
    ),
    _catalog("several", "if len(matches) == 1:", "if matches:", "of several that match the first is taken"),
    _catalog(
        "grade-damaged",
        "if seen.damaged_state:\nreturn Judgement(",
        "if seen.age < 0:\n    return Judgement(",
        "a damaged state is graded as a good one",
    ),
    _catalog(
        "grade-unfit",
        "if seen.unfit:\nreturn Judgement(",
        "if seen.age < 0:\n    return Judgement(",
        "a failed backup is graded as a good one",
    ),
    _catalog(
        "grade-old",
        '"older than the RPO" if seen.age > seen.rpo else ""',
        '"older than the RPO" if seen.age < seen.rpo else ""',
        "an old backup is fresh",
    ),
    _catalog("grade-small", "if SMALLEST <= share <= LARGEST:", "if share <= LARGEST:", "a tiny backup is plausible"),
    _catalog(
        "grade-reaches",
        "return self.rank >= wanted.rank",
        "return self.rank > wanted.rank",
        "what was shown does not count",
    ),
    _catalog(
        "grade-proof",
        "if seen.shown is not None:\nreturn Judgement(seen.shown.grade",
        "if seen.shown is not None and not doubts:\n    return Judgement(seen.shown.grade",
        "signs outrank what a restore showed",
    ),
    _catalog(
        "sound-key",
        'return self.grade.reaches(Grade.INVARIANTS) and self.canary.verdict != "fail"',
        "return self.grade.reaches(Grade.INVARIANTS)",
        "a proof with a key that did not fit is sound",
    ),
    _catalog(
        "sound-rules",
        'return self.grade.reaches(Grade.INVARIANTS) and self.canary.verdict != "fail"',
        'return self.grade.reaches(Grade.RESTORES) and self.canary.verdict != "fail"',
        "a proof that broke an invariant is sound",
    ),
    _catalog(
        "other-bytes",
        "return found if found.sha256 == sha256 and found.proven_at == _moment(name) else None",
        "return found",
        "a proof of other bytes counts",
    ),
    _catalog(
        "fresh-old",
        "or now - found.proven_at > timedelta(hours=GATE_HOURS)",
        "or found.proven_at is None",
        "a proof of last month is fresh",
    ),
    _catalog(
        "fresh-rules",
        "if found.grade.reaches(Grade.INVARIANTS) and found.demands == demands_digest(invariants)",
        "if found.grade.reaches(Grade.INVARIANTS)",
        "a proof that asked other invariants is fresh",
    ),
)

EVICTION = (
    _catalog(
        "evict-copy",
        "newest_proven=goes.proven and goes is proven[-1] and not goes.copies",
        "newest_proven=goes.proven and goes is proven[-1]",
        "a backup with a copy must not go",
    ),
    _catalog(
        "evict-last",
        "[one for one in proven if one.on_platform and one is not goes]",
        "[one for one in proven if one is not goes]",
        "a proven copy elsewhere counts as one that the platform holds",
    ),
    _catalog(
        "evict",
        "if goes.newest_proven and not deps.request.evict:",
        "if goes.newest_proven and deps.request.evict:",
        "the newest proven backup is pushed out unasked",
        _WHOLE,
    ),
    _catalog(
        "evict-unknown",
        "if known.vault is None and not deps.request.evict:",
        "if known.vault is None and deps.request.evict:",
        "one of which nobody knows whether it is the newest proven is pushed out",
        _WHOLE,
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
        'f"remove {len(self.copies)} of {len(self.copies) + self.kept} copies{back}, {self.bytes} bytes{leftovers}"',
        'f"remove copies{back}{leftovers}"',
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
        "due=proven[-1].taken_at + timedelta(seconds=objective)",
        "due=now + timedelta(seconds=objective)",
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
        "key",
        "if other_key is not None:  # the key is what is wrong, and the proof says so",
        "if other_key is None and not fit:",
        "another key passes every backup over",
    ),
    _walk(
        "strange",
        "wants = wants or _newer_than_live(way, proof)",
        'wants = wants or ""',
        "a backup of newer code is taken",
    ),
    _walk(
        "equal",
        "if not missing and not other:",
        "if not missing or not other:",
        "a backup taken after the damage is the default",
    ),
    _walk(
        "equal-other",
        "if not missing and not other:",
        "if not missing:",
        "a backup with overwritten rows is the default",
    ),
    _walk(
        "missing-tables",
        'if proof.missing:\nreturn f"tables',
        'if not proof:\n    return f"tables',
        "a backup without its tables may replace the database",
    ),
    _walk(
        "broken",
        'if broken:\nreturn f"it breaks',
        'if not proof:\n    return f"it breaks',
        "a backup that breaks an invariant may replace the database",
    ),
    _walk(
        "inconclusive",
        "for r in results if r.holds is not True]",
        "for r in results if r.holds is False]",
        "an invariant that could not be asked holds",
    ),
    _walk("keyless", "if proof.keyless:", "if not proof:", "a table without its primary key may replace the database"),
    _walk(
        "wrong-key",
        "if proof.key.opens_nothing:\nwhere =",
        "if not proof:\n    where =",
        "a backup under another key may replace the database",
    ),
    _walk(
        "grave",
        "yield table, words, not has or share > HALF or (share >= DAMAGE and lost >= FEWEST)",
        "yield table, words, not has or (share >= DAMAGE and lost >= FEWEST)",
        "half of a small table gone is no damage",
    ),
    _walk(
        "share",
        "yield table, words, not has or share > HALF or (share >= DAMAGE and lost >= FEWEST)",
        "yield table, words, not has or share > HALF",
        "a third of a table gone is no damage",
    ),
    _walk(
        "emptied",
        "yield table, words, not has or share > HALF or (share >= DAMAGE and lost >= FEWEST)",
        "yield table, words, bool(has)",
        "an empty table is no damage, and a doubt is",
    ),
    _walk(
        "gone",
        'yield table, f"{table} ({had:,} rows) is gone", True',
        'yield table, f"{table} ({had:,} rows) is gone", False',
        "a main table that is gone is no damage",
    ),
    _walk(
        "main",
        "(damage if grave and table in main else doubts)",
        "(damage if grave else doubts)",
        "a loss in any table passes a backup over",
    ),
    _walk(
        "backwards",
        "if then and here and here < then:",
        "if then and here and here > then:",
        "newest rows that are gone are no doubt",
    ),
    _walk("volatile", "if table in volatile or not had:", "if not had:", "an emptied table of sessions is damage"),
    _walk(
        "shut",
        "return sampled >= FEWEST and wrong * 2 >= sampled",
        "return sampled >= FEWEST and wrong >= sampled",
        "a key that opens a few values fits",
    ),
    _walk(
        "few",
        "return sampled >= FEWEST and wrong * 2 >= sampled",
        "return wrong * 2 >= sampled > 0",
        "two damaged values are another key",
        "tests/unit/providers/postgres/test_canary.py",
    ),
    _walk("most", "return tried >= MOST or", "return tried > MOST * 9 or", "a walk proves without end"),
    _walk(
        "refused",
        "except (CheckFailed, NotFound, WrongContent) as error:\nself.refused",
        "except (NotFound, WrongContent) as error:\n    self.refused",
        "one backup that does not restore ends the choosing",
    ),
)

RESTORE = (
    _restore(
        "other-proof",
        "if proof.transfer_id != seen.transfer_id:",
        "if not proof.transfer_id:",
        "another backup than the proven one is restored",
    ),
    _restore(
        "gone",
        'unfit="gone" if backup is None else backup.unusable',
        'unfit="gone" if backup is None else ""',
        "a backup that expired is restored",
    ),
    _restore(
        "running",
        'if seen.running:\nreturn Action("blocked", seen.running)\nowner',
        "owner",
        "a restore is sent beside a running transfer",
    ),
    _restore(
        "approved",
        'approved={"database": seen.addon, "owner": seen.owner_app, "backup": seen.backup}',
        "approved={}",
        "what is approved is not told",
    ),
    _restore(
        "confirmed",
        "if again.state is not TransferState.COMPLETED:",
        "if again.state is None:",
        "the end of a restore is taken on trust",
    ),
    _restore(
        "sending",
        "tell.sending()\naccepted = self._deps.backups.restore(",
        "accepted = self._deps.backups.restore(",
        "that the restore goes out is not written down",
    ),
    _restore(
        "accepted",
        "require_new(accepted, seen)\ntell.accepted(accepted.id)\nreturn self._restored(",
        "require_new(accepted, seen)\nreturn self._restored(",
        "the id of the accepted restore is not written down",
    ),
    _restore(
        "blocked",
        'if refusal:\nreturn Action("blocked", refusal)\nwords',
        "words",
        "a backup that does not prove replaces the database",
    ),
)

ALL = (*CHOOSE, *TRANSFERS, *CATALOG, *EVICTION, *RETENTION, *RPO, *WALK, *RESTORE)
