"""Gate, runner, settling, waiting, the life of a run."""

from __future__ import annotations

from tools.mutate.lists import rooms

_ROOM = "tests/unit/engine"
_GATE, _SENT, _DECLINED = (f"{_ROOM}/test_{one}.py" for one in ("gate_before_writes", "nothing_sent_twice", "declined"))
_CUT, _WAIT, _LOOK, _LEFT = (f"{_ROOM}/test_{one}.py" for one in ("run_cut_short", "wait", "look_for", "tasks_left"))
_LOST, _CRASH = (f"{_ROOM}/test_{one}.py" for one in ("lost_answers", "crash_everywhere"))
_BACKUPS = "tests/unit/scenarios/backups"

_gate = rooms.of("gate", _GATE, _DECLINED, _ROOM)
_run = rooms.of("run", _GATE, _DECLINED, _SENT, _ROOM)
_settle = rooms.of("settle", f"{_ROOM}/test_settler.py", _SENT, _LOST, _ROOM, _BACKUPS)
_past = rooms.of("history", f"{_ROOM}/test_history.py", _GATE, _SENT, _CUT, _ROOM, _BACKUPS)
_life = rooms.of("life", f"{_ROOM}/test_plan.py", _GATE, _CUT, _DECLINED, _LEFT, _ROOM)
_wait = rooms.of("wait", _WAIT, _LOOK, _ROOM)

GATE = (
    _gate(
        "phrase",
        "if normal(self._given) in {normal(phrase) for phrase in blast.phrases}:",
        "if self._given:",
        "any phrase given with --confirm confirms",
    ),
    _gate(
        "typed",
        "if self._asker.confirm_phrase(blast.facts, blast.phrases[0]):",
        "if self._asker.confirm_phrase(blast.facts, blast.phrases[0]) or blast.phrases:",
        "what was typed is not looked at",
    ),
    _gate(
        "unknown", "if UNKNOWN in self._given or not any(", "if not any(", "a phrase with a gap in it is taken early"
    ),
    _gate(
        "early",
        "not any(_could_be(self._given, phrase) for phrase in blast.phrases)",
        "not blast.phrases",
        "a phrase that cannot fit is not refused before the first write",
    ),
    _gate(
        "part",
        "re.fullmatch(pattern, normal(given)) is not None",
        "re.match(pattern, normal(given)) is not None",
        "a phrase with more behind it counts early",
    ),
    _gate("begin", 'if answer != "begin":', 'if answer == "begin not":', "whoever says stop begins"),
    _gate(
        "no-answer",
        'raise _not_begun("There was no answer to the question before the first change.") from error',
        'answer = "begin" if error else ""',
        "no answer is taken for a yes",
    ),
    _gate(
        "sent-again-once",
        "self._send_again = False\nreturn SEND",
        "return SEND",
        "--send-again stands for more than one write",
        _SENT,
    ),
    _gate(
        "sent-again-earlier",
        "if earlier and self._send_again:",
        "if self._send_again:",
        "--send-again counts for a write of this very process",
        _SENT,
    ),
    _gate(
        "passable",
        "return self._given is not None or self._asker.interactive",
        "return self._given is not None or True",
        "without a terminal and a phrase a run begins",
    ),
    _gate("spaces", 'return " ".join(phrase.split())', "return phrase", "a space too much makes another phrase"),
)

RUN = (
    _run(
        "unasked",
        "if bound.step.destructive and bound.step.id not in self._history.confirmed:",
        "if bound.step.destructive and not self.began:",
        "once something was changed nothing is asked any more",
    ),
    _run(
        "asked-again",
        "if bound.step.destructive and bound.step.id not in self._history.confirmed:",
        "if bound.step.destructive:",
        "a confirmed step is asked for again by the next process",
        _CRASH,
    ),
    _run(
        "begin",
        "elif not self.began:",
        "elif self.began and not self.began:",
        "nobody is asked before the first change",
    ),
    _run(
        "drift-value",
        "if action.approved.get(key) != value",
        "if key not in action.approved",
        "another database than was approved goes through",
    ),
    _run("drift", "self._check_drift(line, action)\nself._ask(", "self._ask(", "what was approved is not compared"),
    _run("blocked", 'if action.kind == "blocked":', 'if action.kind == "barred":', "a blocked step is carried out"),
    _run(
        "intent-late",
        "self._start(bound, bound.step.baseline(seen))\nresult, adopted = self._settler.act(bound, seen, view, tell)",
        "result, adopted = self._settler.act(bound, seen, view, tell)\nself._start(bound, bound.step.baseline(seen))",
        "the intent is written down after the write",
        _CRASH,
    ),
    _run(
        "baseline",
        "self._start(bound, bound.step.baseline(seen))",
        "self._start(bound, {})",
        "the intent keeps nothing of what was there before",
    ),
    _run(
        "unconfirmed-effect",
        "summary = bound.step.confirm_effect(result, view, Teller(self._bus, bound.step.id, bound.step.name))",
        'summary = ""',
        "nobody looks whether a write had its effect",
    ),
    _run(
        "done-again",
        "if not (self._guarding and line.bound.step.effect is Effect.IDEMPOTENT):",
        "if not self._guarding:",
        "a finished step is done again by a resumed run",
        _CRASH,
    ),
    _run(
        "guard-late",
        "if not (self._guarding and line.bound.step.effect is Effect.IDEMPOTENT):",
        "if line.bound.step.effect is not Effect.IDEMPOTENT:",
        "after the restore a resumed run shuts users out again",
        _CRASH,
    ),
    _run(
        "unguarded",
        "if not (self._guarding and line.bound.step.effect is Effect.IDEMPOTENT):",
        "if True:",
        "a resumed run does not look whether users are still shut out",
        _CRASH,
    ),
    _run(
        "unsettled",
        "if intent is None or bound.step.effect is Effect.IDEMPOTENT:",
        "if True:",
        "a write that a dead process sent is sent again without a look",
    ),
    _run(
        "known",
        "known=not (isinstance(error, OutcomeUnknown) or self._cut_off(bound, error))",
        "known=True",
        "an unknown outcome is told as a failure",
    ),
    _run(
        "over",
        "over=isinstance(error, EffectFailed | Outdated)",
        "over=True",
        "a write in doubt is forgotten as one that failed",
    ),
    _run(
        "never-over",
        "over=isinstance(error, EffectFailed | Outdated)",
        "over=False",
        "a write that surely failed is looked for ever after",
    ),
    _run(
        "cut-off",
        "return isinstance(error, Interrupted) and begun",
        "return False",
        "a write that Ctrl-C left under way is told as failed",
    ),
    _run(
        "needs",
        """waiting = f"no step before it gave {', '.join(lacking)}" if lacking else step.ready(view)""",
        "waiting = step.ready(view)",
        "a step runs without what earlier ones must give",
        "tests/unit/scenarios/test_order.py",
    ),
    _run(
        "attempt",
        "self._history.attempts.get(bound.step.id, 0) + 1",
        "self._history.attempts.get(bound.step.id, 0)",
        "attempts are counted from none",
    ),
    _run(
        "stop",
        "self._stop.check()\ntry:\nself._take_turn(line, view)",
        "try:\n    self._take_turn(line, view)",
        "an interrupted run begins the next step",
        _CUT,
    ),
    _run(
        "stale",
        "fresh = line.seen is not None and started - line.at <= bound.step.fresh_for",
        "fresh = line.seen is not None",
        "what the plan saw an hour ago is not looked at again",
    ),
    _run(
        "cautions",
        "if self.began or not self._cautions:",
        "if self.began or self._cautions:",
        "what speaks against it does not stand before the first question",
    ),
    _run(
        "adopted",
        "self._finish(bound, found, view, started, adopted=True)",
        "self._finish(bound, found, view, started, adopted=False)",
        "the journal does not say that a write was found and not sent",
    ),
    _run(
        "noop-forgotten",
        "result = bound.step.unchanged(seen, view)\nview.remember(result)",
        "result = bound.step.unchanged(seen, view)",
        "what needed no change is unknown to later steps",
    ),
    _run(
        "recalled",
        "view.remember(bound.step.gives.model_validate(recorded))",
        "bound.step.gives.model_validate(recorded)",
        "results of an earlier process are unknown to later steps",
    ),
    _run(
        "sending-told",
        "self._bus.emit(StepSending(step=self._step))",
        "self._step.strip()",
        "that a request goes out is not written down before it",
    ),
    _run(
        "accepted-told",
        "self._bus.emit(StepAccepted(step=self._step, name=self._name, provider_id=provider_id))",
        "provider_id.strip()",
        "what the provider accepted is not written down",
    ),
    _run(
        "lacks",
        "any(kind in self._results for kind in alternatives(need))",
        "bool(alternatives(need))",
        "no result is ever lacking",
        "tests/unit/scenarios/test_order.py",
    ),
)

SETTLE = (
    _settle(
        "repeated",
        "settled = self._after_loss(bound, intent, seen, view, error)",
        "settled = None",
        "a write whose answer was lost is sent again at once",
    ),
    _settle(
        "kinds",
        "if bound.step.effect is not Effect.IDEMPOTENT:\nreturn self.settle(",
        "if bound.step.effect is Effect.IDEMPOTENT:\n    return self.settle(",
        "what may not be repeated is, and what may is looked for",
    ),
    _settle(
        "echo",
        "settled = self._echo(bound, intent, seen, view, error) if lost else None",
        "settled = None",
        "a refusal after a lost answer is believed",
    ),
    _settle(
        "echo-failed",
        "if bound.step.effect is not Effect.FINDABLE or isinstance(error, EffectFailed):",
        "if bound.step.effect is not Effect.FINDABLE:",
        "a write that surely failed is looked for",
    ),
    _settle(
        "in-effect",
        'done = bound.step.plan(now, view).kind == "noop"',
        'done = bound.step.plan(now, view).kind != "noop"',
        "what is not there is taken for done",
    ),
    _settle("never-sent", "if not intent.sent:", "if intent.sent:", "what was sent is called not sent"),
    _settle(
        "unasked",
        "if finding.again or self._sent_again(bound, intent, finding, cause):",
        "if finding or cause:",
        "what is not to be seen is sent again unasked",
    ),
    _settle(
        "not-again",
        "if finding.again or self._sent_again(bound, intent, finding, cause):",
        "if self._sent_again(bound, intent, finding, cause):",
        "a write that does no harm twice becomes a question",
    ),
    _settle("look-again", "return answer == SEND", "return answer != STOP", "who wants another look sends again"),
    _settle("stop", "if answer == STOP:", "if answer == SEND:", "who says send stops, who says stop goes on"),
    _settle(
        "nobody",
        "raise _not_seen(bound, intent, finding, cause) from error",
        "return bool(error)",
        "where nobody can be asked it is sent again",
    ),
    _settle(
        "blind",
        "except EffectFailed:\nraise\nexcept ProviderError as error:\nraise _unsettled(bound, intent, error) from error",
        "except EffectFailed:\n    raise",
        "a look that fails is told as a failed write",
    ),
    _settle(
        "accepted",
        "tell.accepted(finding.provider_id)\nadopted: Fact",
        "adopted: Fact",
        "the id of a write that was found is not written down",
    ),
    _settle(
        "decision",
        'decision="adopt" if done else "redo"',
        'decision="redo" if done else "adopt"',
        "the journal says the contrary of what was decided",
    ),
    _settle(
        "accepted-before",
        "if intent.accepted is not None:\nreturn Finding(search.looked_at",
        "if intent.accepted is None:\nreturn Finding(search.looked_at",
        "what was accepted before is looked for, what was not is called accepted",
        _LOOK,
    ),
    _settle(
        "absent",
        "return Finding(search.looked_at, search.nothing, None)",
        "return Finding(search.looked_at, search.nothing, None, again=True)",
        "what is not seen at once counts as never sent",
    ),
    _settle(
        "baseline",
        "intent = Intent(earlier.at, earlier.baseline, None) if earlier and earlier.baseline else begun",
        "intent = begun",
        "a second attempt forgets what the first one saw before it",
    ),
    _settle(
        "which",
        "search.words(found[0]), found[0].id",
        "search.words(found[0]), found[-1].id",
        "the unlikeliest of several is adopted",
        _LOOK,
    ),
    _settle(
        "mark-number",
        "return one.num > self.newest and one.id not in self.known and not aged",
        "return one.id not in self.known and not aged",
        "an older transfer is taken for ours",
    ),
    _settle(
        "mark-age",
        "return one.num > self.newest and one.id not in self.known and not aged",
        "return one.num > self.newest and one.id not in self.known",
        "an old restore that the list left out is taken for ours",
    ),
    _settle(
        "stale-answer",
        "if stale or accepted.id in seen.known_transfers:",
        "if accepted.id is None:",
        "an answer about another transfer is believed",
    ),
    _settle(
        "canceled",
        "if ended.state is not TransferState.COMPLETED:",
        "if ended.state is TransferState.FAILED:",
        "a canceled transfer is a success",
        "tests/unit/scenarios",
    ),
    _settle(
        "untold",
        "if transfer.state is TransferState.UNTOLD:",
        "if transfer is None:",
        "an end of which nobody says how is told as a failure",
    ),
    _settle(
        "other-id",
        "return one.kind in kinds and one.id == accepted and mark.later(one)",
        "return one.id == accepted",
        "an accepted id of an old or another transfer is ours",
    ),
    _settle(
        "other-source",
        "one.reads(source) is not False",
        "one.reads(source) is not None",
        "a restore of another backup is taken for ours",
    ),
    _settle(
        "other-database",
        "t.whose is not Whose.OTHER and mark.later(t)",
        "mark.later(t)",
        "a transfer of another database is taken for ours",
    ),
    _settle(
        "maybe-ours",
        "if one.whose is Whose.UNKNOWN:\nraise OutcomeUnknown(",
        "if one is None:\n    raise OutcomeUnknown(",
        "one that may be of another database is taken for ours",
    ),
    _settle(
        "twin",
        "if not one.ended:\n_end_of(",
        "if one is None:\n    _end_of(",
        "a restore that arrived twice is not waited for",
    ),
)

HISTORY = (
    _past("confirmed", "history.confirmed.discard(step)", "step.strip()", "a restore that failed is repeated unasked"),
    _past(
        "baseline",
        'baseline = earlier.baseline if earlier and earlier.baseline else event["baseline"]',
        'baseline = event["baseline"]',
        "a second attempt forgets what the first one saw before it",
    ),
    _past(
        "sent",
        'sent = not event.get("says_when_sent", False) or (earlier is not None and earlier.sent)',
        'sent = not event.get("says_when_sent", False)',
        "a second attempt forgets that the first one was sent",
    ),
    _past(
        "sending",
        "history.intents[step] = replace(history.intents[step], sent=True)",
        "history.intents[step] = replace(history.intents[step], sent=False)",
        "what went out counts as not sent",
    ),
    _past(
        "wrote",
        'history.wrote = history.wrote or event["effect"] != "read"',
        'history.wrote = event["effect"] != "read"',
        "a look after a write makes a run one that changed nothing",
    ),
    _past(
        "accepted",
        'Intent(intent.at, intent.baseline, event["provider_id"])',
        "Intent(intent.at, intent.baseline, None)",
        "the accepted id is forgotten",
    ),
    _past(
        "failed",
        'elif kind == "step.failed" and event["over"]:',
        'elif kind == "step.failed":',
        "a write in doubt is forgotten by the next process",
    ),
    _past(
        "skipped",
        'elif kind in ("step.succeeded", "step.skipped"):\nhistory.intents',
        'elif kind == "step.succeeded":\n    history.intents',
        "a skipped step is begun again",
    ),
    _past(
        "first-start",
        "Intent(earlier.at if earlier else at, baseline, None, sent)",
        "Intent(at, baseline, None, sent)",
        "the moment of the first attempt is forgotten",
    ),
    _past(
        "begun",
        "return self.wrote or bool(self.confirmed)",
        "return bool(self.confirmed)",
        "a run that changed something is planned anew",
    ),
)

LIFE = (
    _life("slow", "if step.slow and not view.thorough:", "if step.slow:", "a dry run leaves the slow looks out"),
    _life(
        "destroys",
        'if line.bound.step.destructive and line.seen is not None and line.action.kind == "change":',
        "if line.bound.step.destructive and line.seen is not None:",
        "what destroys nothing asks for its phrase",
        "tests/unit/scenarios/media",
        "tests/unit/scenarios",
    ),
    _life(
        "approved",
        "dict(f.bound.params), dict(f.action.approved)]",
        "dict(f.bound.params)]",
        "two plans that approve other things have one digest",
    ),
    _life(
        "dry-run-blocked",
        'raise CheckFailed("The plan cannot be carried out: " + " ".join(blocked))',
        "pass",
        "a dry run of a blocked plan ends well",
    ),
    _life(
        "blocked",
        "if blocked and not history.wrote:",
        "if blocked and history.wrote:",
        "a plan that cannot end is begun",
    ),
    _life(
        "other-steps",
        "[bound.step.id for bound in steps] != history.order",
        "len(steps) != len(history.order)",
        "a run goes on with other steps than it was begun with",
    ),
    _life(
        "terminal",
        "if not self._gate.can_be_passed:",
        "if self._gate is None:",
        "users are shut out for a restore that nobody can confirm",
    ),
    _life(
        "early",
        "self._gate.check_early(blast)",
        "blast.facts.keys()",
        "a wrong phrase is found out only after the first writes",
    ),
    _life(
        "short",
        "if short:\nraise CheckFailed(short)",
        "if short is None:\n    raise CheckFailed(short)",
        "a missed objective is a success",
    ),
    _life(
        "approved-before",
        "approved=history.approved.get(bound.step.id, {})",
        "approved={}",
        "a resumed run does not compare what was approved",
    ),
    _life(
        "unknown",
        'ExitCode.UNKNOWN: "unknown"',
        'ExitCode.UNKNOWN: "done"',
        "an unknown outcome is written down as done",
    ),
    _life(
        "tasks",
        'self._tasks() if outcome in ("done", "failed") else ()',
        "self._tasks()",
        "a declined run leaves tasks",
    ),
    _life(
        "all-but",
        "if all(step.effect is Effect.READ for step in after)",
        "if any(step.effect is Effect.READ for step in after)",
        "a service is called restored with writes to come",
    ),
    _life(
        "looked-before",
        "known = history if history.begun else History(attempts=history.attempts)",
        "known = history",
        "a resumed run that changed nothing keeps its old looks",
    ),
    _life(
        "restored",
        "restored = self._carried_out or self._all_but",
        "restored = True",
        "a failed run says what to do once the service is restored",
    ),
)

WAIT = (
    _wait("blind", "if blind >= MAX_BLIND_LOOKS:", "if blind > MAX_BLIND_LOOKS:", "one look more in the dark"),
    _wait(
        "blind-in-all",
        "blind, last = 0, None\nif done(seen):",
        "if done(seen):",
        "twenty failed looks in all end a wait that goes on well",
    ),
    _wait(
        "hopeless",
        "if not error.retryable:\nraise _unknown(patience",
        "if error is None:\n    raise _unknown(patience",
        "what cannot mend itself is looked at again",
    ),
    _wait(
        "limit",
        'raise _unknown(patience, f"it was not finished after {duration(patience.limit)}")',
        "return look()",
        "what does not end counts as ended",
    ),
    _wait(
        "blind-failed",
        "raise _unknown(patience, error.message) from error",
        "raise",
        "a look that was refused is a failed write",
    ),
    _wait("stop", "self.event.wait(seconds)\nself.check()", "self.event.wait(seconds)", "a wait goes on after Ctrl-C"),
)

ALL = (*GATE, *RUN, *SETTLE, *HISTORY, *LIFE, *WAIT)
