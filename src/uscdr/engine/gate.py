"""Confirmation: the phrase contains what will be destroyed, so it cannot come from the shell history."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Protocol

from uscdr.errors import Declined
from uscdr.models.runs import ANY_RECOVERY
from uscdr.phrase import UNKNOWN, could_be, difference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uscdr.engine.step import BlastRadius


class Asker(Protocol):
    """A person, or a stand-in for one. Without a terminal every method raises Declined."""

    @property
    def interactive(self) -> bool:
        """Whether somebody can answer."""
        ...

    @property
    def manner(self) -> str:
        """How it answers, for the journal."""
        ...

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        """Whether the phrase was typed."""
        ...

    def choose(self, question: str, options: tuple[str, ...]) -> str:
        """One of `options`."""
        ...


class Gate:
    """Asks for confirmation, or compares the phrase of `--confirm`.

    `send_again` (of `--send-again`) is an answer given beforehand, used once, about a write of an earlier process whose
    effect cannot be found.
    """

    def __init__(self, asker: Asker, given: str | None, *, send_again: bool = False) -> None:
        self._asker = asker
        self._given = given
        self._send_again = send_again

    @property
    def can_be_passed(self) -> bool:
        """Whether a confirmation is possible: a phrase was given, or somebody can answer."""
        return self._given is not None or self._asker.interactive

    def confirm(self, blast: BlastRadius) -> str:
        """Confirm, and return how. Raises Declined with the phrase that was needed."""
        if self._given is not None:
            wrong = difference(self._given, blast.phrase)
            if not wrong:
                return "--confirm"
            raise self.declined(
                blast, f"The phrase of --confirm does not match what this run would destroy now: {wrong}."
            )
        if self._asker.confirm_phrase(blast.facts, blast.phrase):
            return self._asker.manner
        raise self.declined(blast, "You did not type the phrase, so this step sent nothing.")

    def check_early(self, blast: BlastRadius) -> None:
        """Before the first change: raises Declined if the phrase of `--confirm` cannot match what is known so far."""
        if self._given is None:
            return
        if UNKNOWN in self._given or not could_be(self._given, blast.phrase):
            wrong = difference(self._given, blast.phrase) or f"{UNKNOWN} stands for a number"
            raise self.declined(blast, f"The phrase of --confirm does not match what this run would destroy: {wrong}.")

    def begin(self, changes: str, cautions: Sequence[str] = ()) -> None:
        """Before the first change: the operator at a terminal reads the warnings and answers `begin`.

        Raises Declined.
        """
        if self._given is not None:
            return
        try:
            question = " ".join((*cautions, f"The first change: {changes}. Begin?"))
            answer = self._asker.choose(question, ("begin", "stop"))
        except Declined as error:
            raise _not_begun("The question before the first change was not answered with “begin”.") from error
        if answer != "begin":
            raise _not_begun("You stopped the run before its first change.")

    def settle(self, question: str) -> str:
        """Ask what to do about a write that cannot be found: adopt, redo or abort. Raises Declined."""
        return self._asker.choose(question, ("adopt", "redo", "abort"))

    def lost(self, question: str, *, earlier: bool) -> str:
        """Ask what to do about a write whose effect cannot be seen: LOOK, SEND or STOP. Raises Declined.

        `earlier`: an earlier process sent it. An answer given beforehand is for such a write, and counts once.
        """
        if earlier and self._send_again:
            self._send_again = False
            return SEND
        return self._asker.choose(question, (LOOK, SEND, STOP))

    @staticmethod
    def declined(blast: BlastRadius, why: str) -> Declined:
        """The refusal, with the full phrase."""
        phrase = blast.phrase
        how = f"{ANY_RECOVERY} --confirm {shlex.quote(phrase)}"
        if UNKNOWN in phrase:
            how = f"The phrase is “{phrase}”. A dry run fills in the numbers: {ANY_RECOVERY} --dry-run"
        return Declined("Not confirmed.", why=why, next_action=how)


LOOK, SEND, STOP = "look again", "send again", "stop"
"""The answers about a write whose effect cannot be seen."""


def _not_begun(message: str) -> Declined:
    return Declined(message, next_action="uscdr changed nothing. To start again, run the same command.")
