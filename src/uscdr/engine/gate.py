"""Confirmation: the phrase carries what will be destroyed, so it cannot be pasted from history."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Protocol

from uscdr.errors import Declined

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
        """How this one confirms, for the journal."""
        ...

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        """Whether the phrase was typed."""
        ...

    def choose(self, question: str, options: tuple[str, ...]) -> str:
        """One of `options`."""
        ...


class Gate:
    """Asks, or compares the phrase given with `--confirm`.

    `send_again` is the answer, given beforehand, for a write of an earlier process whose effect is not to be found.
    """

    def __init__(self, asker: Asker, given: str | None, *, send_again: bool = False) -> None:
        self._asker = asker
        self._given = given
        self._send_again = send_again

    @property
    def can_be_passed(self) -> bool:
        """Whether a confirmation can be had at all."""
        return self._given is not None or self._asker.interactive

    def confirm(self, blast: BlastRadius) -> str:
        """How it was confirmed. Raises Declined with the phrase that was needed."""
        if self._given is not None:
            if _normal(self._given) in {_normal(phrase) for phrase in blast.phrases}:
                return "--confirm"
            raise self.declined(blast, "The phrase given with --confirm does not fit what would be destroyed now.")
        if self._asker.confirm_phrase(blast.facts, blast.phrases[0]):
            return self._asker.manner
        raise self.declined(blast, "The phrase was not typed, so nothing of it was sent.")

    def check_early(self, blast: BlastRadius) -> None:
        """Before anything is changed: raises Declined if the phrase given cannot fit what is known already."""
        if self._given is None:
            return
        if UNKNOWN in self._given or not any(_could_be(self._given, phrase) for phrase in blast.phrases):
            raise self.declined(blast, "The phrase given with --confirm does not fit what would be destroyed.")

    def begin(self, changes: str, cautions: Sequence[str] = ()) -> None:
        """Before the first change: a person at a terminal says begin, having read what speaks against it.

        Raises Declined.
        """
        if self._given is not None:
            return
        try:
            question = " ".join((*cautions, f"The first change: {changes}. Begin?"))
            answer = self._asker.choose(question, ("begin", "stop"))
        except Declined as error:
            raise _not_begun("There was no answer to the question before the first change.") from error
        if answer != "begin":
            raise _not_begun("Stopped before the first change.")

    def settle(self, question: str) -> str:
        """What to do about a write that cannot be found: adopt, redo or abort."""
        return self._asker.choose(question, ("adopt", "redo", "abort"))

    def lost(self, question: str, *, earlier: bool) -> str:
        """What to do about a write whose effect is not to be seen: LOOK, SEND or STOP. Raises Declined.

        `earlier`: an earlier process sent it. An answer given beforehand is for that one, and is used up by it.
        """
        if earlier and self._send_again:
            self._send_again = False
            return SEND
        return self._asker.choose(question, (LOOK, SEND, STOP))

    @staticmethod
    def declined(blast: BlastRadius, why: str) -> Declined:
        """The refusal, with the phrase in full."""
        phrase = blast.phrases[0]
        how = f"To confirm, pass exactly: --confirm {shlex.quote(phrase)}"
        if UNKNOWN in phrase:
            how = f"The phrase is “{phrase}” with numbers that a dry run finds out: uscdr recover … --dry-run"
        return Declined("Not confirmed.", why=why, next_action=how)


LOOK, SEND, STOP = "look again", "send again", "stop"
"""What a person may answer about a write whose effect is not to be seen."""
UNKNOWN = "…"
"""Stands in a phrase for what is not known yet."""
AT_LEAST = "at least"
"""Stands in a phrase before a number that may turn out to be greater."""
_ANYTHING = rf"(?:under |{AT_LEAST} )?[^ ,]+(?: h)?"
"""A number, a word, or a span of hours."""


def _could_be(given: str, phrase: str) -> bool:
    """Whether `given` agrees with `phrase` in all that is known of it."""
    pattern = re.escape(_normal(phrase)).replace(re.escape(UNKNOWN), _ANYTHING)
    return re.fullmatch(pattern, _normal(given)) is not None


def _normal(phrase: str) -> str:
    """A phrase without accidents of spacing."""
    return " ".join(phrase.split())


def _not_begun(message: str) -> Declined:
    return Declined(message, next_action="Nothing was sent, nothing was changed. To decide anew: the same command.")
