"""Gate, runner, settling, waiting, the life of a run."""

from __future__ import annotations

from tools.mutate.lists import rooms

_ROOM = "tests/unit/engine"
_GATE, _SENT, _DECLINED = (f"{_ROOM}/test_{one}.py" for one in ("gate_before_writes", "nothing_sent_twice", "declined"))
_CUT, _WAIT, _LOOK, _LEFT = (f"{_ROOM}/test_{one}.py" for one in ("run_cut_short", "wait", "look_for", "tasks_left"))
_LOST, _CRASH = (f"{_ROOM}/test_{one}.py" for one in ("lost_answers", "crash_everywhere"))
_BACKUPS = "tests/unit/scenarios/backups"

_gate = rooms.of("gate", _GATE, _DECLINED, _ROOM)
_typed = rooms.of("phrase", f"{_ROOM}/test_phrase.py", _GATE, _ROOM)
_run = rooms.of("run", _GATE, _DECLINED, _SENT, _ROOM)
_settle = rooms.of("settle", f"{_ROOM}/test_settler.py", _SENT, _LOST, _ROOM, _BACKUPS)
_past = rooms.of("history", f"{_ROOM}/test_history.py", _GATE, _SENT, _CUT, _ROOM, _BACKUPS)
_life = rooms.of("life", f"{_ROOM}/test_plan.py", _GATE, _CUT, _DECLINED, _LEFT, _ROOM)
_wait = rooms.of("wait", _WAIT, _LOOK, _ROOM)

GATE = (
    _gate(
        "phrase",
        'if not wrong:\n                return "--confirm"',
        'if wrong is not None:\n                return "--confirm"',
        "any phrase given with --confirm confirms",
    ),
    _gate(
        "typed",
        "if self._asker.confirm_phrase(blast.facts, blast.phrase):",
        "if self._asker.confirm_phrase(blast.facts, blast.phrase) or blast.phrase:",
        "what was typed is not looked at",
    ),
    _gate(
        "unknown",
        "if UNKNOWN in self._given or not could_be(",
        "if not could_be(",
        "a phrase with a gap in it is taken early",
    ),
    _gate(
        "early",
        "not could_be(self._given, blast.phrase)",
        "not blast.phrase",
        "a phrase that cannot fit is not refused before the first write",
    ),
    _typed(
        "word",
        "if given[number - 1 : number] != [_normal(word)]:",
        "if given[number - 1 : number] > [_normal(word)]:",
        "a word that sorts before the right one counts as the right one",
    ),
    _typed(
        "part",
        "re.fullmatch(pattern, _normal(given)) is not None",
        "re.match(pattern, _normal(given)) is not None",
        "a phrase with more behind it counts early",
    ),
    _gate("begin", 'if answer != "begin":', 'if answer == "begin not":', "whoever says stop begins"),
    _gate(
        "no-answer",
        'raise _not_begun("The question before the first change was not answered with “begin”.") from error',
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
    _gate(
        "spaces",
        'return " ".join(_SEPARATOR.sub("", word) for word in phrase.split())',
        'return _SEPARATOR.sub("", phrase)',
        "a space too much makes another phrase",
    ),
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
        'if event["effect"] != "read":\n        history.tried.add(step)',
        'if event["effect"] == "read":\n        history.tried.add(step)',
        "a run that began a write counts as one that changed nothing",
    ),
    _past(
        "accepted",
        'Intent(intent.at, intent.baseline, event["provider_id"])',
        "Intent(intent.at, intent.baseline, None)",
        "the accepted id is forgotten",
    ),
    _past(
        "failed",
        'if event["over"]:\n        history.intents',
        "if event:\n        history.intents",
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
        'raise _unknown(patience, f"it did not finish within {duration(patience.limit)}")',
        "return look()",
        "what does not end counts as ended",
    ),
    _wait(
        "blind-failed",
        "raise _unknown(patience, error.message) from error",
        "raise",
        "a look that was refused is a failed write",
    ),
    _wait(
        "stop",
        "while True:\nstop.check()\ntry:\nseen = look()",
        "while True:\n    try:\n        seen = look()",
        "who said stop before a wait is not heard",
    ),
)

ALL = (*GATE, *RUN, *SETTLE, *HISTORY, *LIFE, *WAIT)
