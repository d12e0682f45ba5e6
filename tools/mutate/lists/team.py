"""The lease, the team's store, leave to send."""

from __future__ import annotations

from tools.mutate.lists import rooms

_LEASE, _TURN, _STORE = (f"tests/unit/store/test_{one}.py" for one in ("lease", "writers_turn", "store"))
_ROOM = "tests/unit/shared"
_TWO, _PLACE, _FIT, _RESERVED = (
    f"{_ROOM}/test_{one}.py" for one in ("two_histories", "shared_place", "fit_to_share", "left_reserved")
)
_TAKING = tuple(
    f"{_ROOM}/test_taking_over.py::test_{one}"
    for one in (
        "the_team_has_the_whole_journal_at_the_end",
        "a_copy_of_a_state_directory_is_another_machine",
        "nobody_begins_beside_a_run",
        "a_dead_process_of_this_machine_is_not_waited_for",
        "who_is_alive_is_taken_over_from_only_by_the_phrase",
        "the_chain_goes_on_over_both_machines",
        "an_intent_that_alone_could_not_be_stored_begins_no_step",
    )
)
"""The quick ones of that module; the others go to every record of a run."""

_lease = rooms.of("lease", _LEASE, _TURN, _ROOM)
_name = rooms.of("exclusive", _RESERVED, _STORE, "tests/unit/store")
_team = rooms.of("team", *_TAKING, _TWO, _PLACE, _FIT, _RESERVED, _ROOM)
_leave = rooms.of("leave", "tests/unit/test_leave_to_send.py", "tests/unit/providers/http/test_leave.py")

LEASE = (
    _lease(
        "unlooked",
        "if self._row.highest_number() == self._number:\nreturn\nhighest =",
        "if self._number:\n    return\nhighest =",
        "who was taken over from does not notice",
    ),
    _lease(
        "anybodys",
        "highest.record.nonce == self._record.nonce",
        "highest.record.nonce",
        "the lease of who took over is adopted as one's own",
    ),
    _lease(
        "look-old",
        "return now < self._good_until and now - self._renewed < self._record.seconds",
        "return now - self._renewed < self._record.seconds",
        "the store is not asked again before a request",
    ),
    _lease(
        "ran-out",
        "return now < self._good_until and now - self._renewed < self._record.seconds",
        "return now < self._good_until",
        "a lease that ran out lets a request go",
    ),
    _lease(
        "stale",
        "return self._row.terms.clock() - self._renewed >= self._record.seconds",
        "return self._renewed < 0",
        "a lease that ran out unseen is not renewed before a write",
    ),
    _lease(
        "blind",
        "if self._is_stale():\nraise\nself._good_until",
        "self._good_until",
        "without the store, a lease that ran out is enough",
    ),
    _lease(
        "left-alone",
        "self._row.terms.clock() + _LEFT_ALONE",
        "self._row.terms.clock()",
        "a store that is away is asked before every request",
    ),
    _lease(
        "grant",
        "self._record.seconds + self._row.terms.grace / 2 -",
        "self._record.seconds + self._row.terms.grace * 2 -",
        "a request may leave after the next holder begins",
    ),
    _lease(
        "lost-lasts",
        "if self._lost is not None:\nreturn 0.0",
        "if self._number < 0:\n    return 0.0",
        "a lost lease still lasts",
    ),
    _lease(
        "renewed-late",
        "self._look()\nself._renewed = began",
        "self._look()\nself._renewed = self._row.terms.clock()",
        "a renewal counts from its answer, not from its beginning",
    ),
    _lease(
        "gap",
        "self._record, self._number = renewed, before + 1\nself._look()",
        "self._record, self._number = renewed, before + 1",
        "a renewal into a gap below the highest number counts",
    ),
    _lease(
        "released",
        'self._record.model_copy(update={"state": "released"})',
        'self._record.model_copy(update={"state": "held"})',
        "a lease is not ended",
    ),
    _lease(
        "not-over",
        "if take_over or watch.is_over(highest):",
        "if take_over or highest:",
        "a lease that is held is taken",
    ),
    _lease(
        "taken-twice",
        "take_over = False  # another process was faster: do not take over from it",
        "continue",
        "a take over takes from who was faster, too",
    ),
    _lease(
        "highest",
        "if self.highest_number() == number:\nreturn True",
        "if self.highest_number() is not None:\n    return True",
        "a number that was used and removed counts",
    ),
    _lease(
        "number",
        "number, began = (highest.number + 1 if highest else 1)",
        "number, began = (highest.number + 2 if highest else 1)",
        "a new holder leaves a number out",
    ),
    _lease(
        "request",
        "return seconds + self.terms.grace + min(LONGEST_REQUEST, seconds)",
        "return seconds + self.terms.grace",
        "a request under way is not waited for",
    ),
    _lease(
        "short-request",
        "return seconds + self.terms.grace + min(LONGEST_REQUEST, seconds)",
        "return seconds + self.terms.grace + LONGEST_REQUEST",
        "a short lease is waited for as a long one",
    ),
    _lease(
        "own-terms",
        "seconds = highest.record.seconds if highest.record else self.terms.seconds",
        "seconds = self.terms.seconds",
        "a lease lasts as long as whoever waits says",
    ),
    _lease(
        "outlived",
        "return highest is None or highest.ended or self.seconds > self._row.lasts(highest)",
        "return highest is None or highest.ended or self.seconds > 0",
        "a holder that stood still for a moment is gone",
    ),
    _lease(
        "never-outlived",
        "return highest is None or highest.ended or self.seconds > self._row.lasts(highest)",
        "return highest is None or highest.ended",
        "a dead holder holds for ever",
    ),
    _lease(
        "renewal-unseen",
        "if self._seen is None or _mark(highest) != _mark(self._seen):",
        "if self._seen is None:",
        "who renews while it is waited for is gone",
    ),
    _lease(
        "watch-began",
        "self.seconds = max(0.0, began - self._since)",
        "self.seconds = max(0.0, self._row.terms.clock() - self._since)",
        "the time that a look took counts as seen",
    ),
    _lease("unreadable", "if len(unread) == 1:", "if not unread:", "a record that is no file locks everybody out"),
    _lease(
        "tidy-own",
        "if match is None or int(match[1]) < number:",
        "if match is None or int(match[1]) <= number:",
        "whoever tidies up removes its own record",
    ),
    _lease(
        "tidy-none", "if match is None or int(match[1]) < number:", "if match is None:", "old records are never removed"
    ),
    _lease(
        "ahead",
        "return age > self.lasts(highest) or age < -self.terms.grace",
        "return age > self.lasts(highest)",
        "a record of tomorrow is not waited for",
    ),
    _lease(
        "ended",
        'return self.record is not None and self.record.state == "released"',
        "return self.record is not None",
        "a lease that is held was ended",
    ),
    _lease(
        "unread-ended",
        'return self.record is not None and self.record.state == "released"',
        'return self.record is None or self.record.state == "released"',
        "a record that cannot be read was ended",
    ),
    _lease(
        "last-number",
        "if number >= _END:",
        "if number < 0:",
        "the last number there is locks everybody out without a word",
    ),
    _lease(
        "held",
        'return record if record is not None and record.state == "held" else None',
        "return record",
        "who ended a lease is named as its holder",
    ),
    _lease(
        "dead",
        "return record.host == who.host and record.pid != who.pid and is_gone(record.pid)",
        "return record.pid != who.pid and is_gone(record.pid)",
        "a process of another machine is presumed dead",
    ),
    _lease(
        "alive",
        "return record.host == who.host and record.pid != who.pid and is_gone(record.pid)",
        "return record.host == who.host and record.pid != who.pid",
        "a living process of this machine is presumed dead",
    ),
    _lease(
        "renewal-lost",
        "except NameTaken:\nself._look()\nreturn\nself._record",
        "except NameTaken:\n    return\nself._record",
        "a renewal whose answer was lost is forgotten",
    ),
)

EXCLUSIVE = (
    _name(
        "own",
        "if not is_at(descriptor, target):\nraise FileExistsError(",
        "if descriptor < 0:\n    raise FileExistsError(",
        "who stood still writes over what another stored",
    ),
    _name(
        "given-up",
        "return first is not None and _removed(target)",
        "return _removed(target)",
        "a name that is taken is given up",
    ),
    _name(
        "never",
        "return first is not None and _removed(target)",
        "return False",
        "a name that was only reserved is never free",
    ),
)

TEAM = (
    _team(
        "leave",
        "self._said(self._lease.leave)",
        "self._lease.lasts()",
        "a request goes out without a look at the lease",
    ),
    _team(
        "own-dead",
        "if highest is None or highest.ended or _nonce(highest) == self.own:",
        "if highest is None or highest.ended:",
        "a dead process of this machine is waited for",
    ),
    _team(
        "taken",
        "if highest is None or highest.ended or _nonce(highest) == self.own:",
        "if highest is None or highest:",
        "a lease is taken from who has it",
    ),
    _team(
        "renewed",
        "if watch.changed:\nreturn now is None or now.ended",
        "if watch.changed:\n    return True",
        "who renewed while it was waited for is gone",
        _LEASE,
    ),
    _team(
        "phrase",
        "if not self.waiting.asks(*_question(highest, self.request, refusal)):",
        "if not self.waiting.asks:",
        "who is alive is taken over from without the phrase",
    ),
)

LEAVE = (
    _leave(
        "nobody",
        "for answer, _ in self._of:\nif words := answer():",
        "for answer, _ in self._of[:0]:\n    if words := answer():",
        "nobody is asked before a request",
    ),
    _leave(
        "stood-still",
        "if self._lasts() > _ENOUGH:",
        "if self._lasts() > -1:",
        "who stood still before the timer was set sends",
    ),
    _leave(
        "timer",
        "with _FUSE.lit(seconds):",
        "with _FUSE.lit(seconds + 3600):",
        "who stands still while it sends is not ended",
    ),
    _leave(
        "least",
        "return min((lasts() for _, lasts in self._of), default=math.inf)",
        "return max((lasts() for _, lasts in self._of), default=math.inf)",
        "the longest leave counts",
    ),
    _leave(
        "gone",
        "self._of = tuple(one for one in self._of if one is not mine)",
        "self._of = tuple(self._of)",
        "who is gone is asked",
    ),
    _leave(
        "others-timer",
        "if signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:",
        "if signal.getsignal(signal.SIGALRM) is None:",
        "somebody else's timer is set",
    ),
    _leave(
        "never-sure",
        'raise MachineError(\n"This process was suspended so often that uscdr cannot be sure it still holds the lock.",\nnext_action="When the machine is less busy, run: uscdr runs resume",\n)',
        "yield",
        "who never has the time to send sends",
    ),
    _leave(
        "timer-stays",
        "self._changed(lambda: self._ends.remove(end))",
        "self._changed(lambda: None)",
        "a timer outlives what was sent",
    ),
    _leave(
        "told",
        "if words := answer():\nself.tell(words)",
        "if words := answer():\n    words.strip()",
        "what there is to say is not told",
    ),
    _leave(
        "lock-unasked",
        "context.guard.of(held.check)",
        'context.guard.of(lambda: held.holder.boot and "")',
        "the lock is not asked before a request",
        "tests/unit/engine/test_run_cut_short.py",
    ),
)

ALL = (*LEASE, *EXCLUSIVE, *TEAM, *LEAVE)
