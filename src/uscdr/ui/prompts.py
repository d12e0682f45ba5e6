"""Questions to the operator: show the facts, require the full answer, never use a default answer."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TextIO, TypeVar

from uscdr.errors import Declined, Interrupted
from uscdr.phrase import difference
from uscdr.spent import WATCH
from uscdr.ui.line_editor import can_edit, edited_line
from uscdr.ui.text import Span, cells, line
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from uscdr.ui.console import Output

T = TypeVar("T")
TRIES = 3
NO = "stop"
"""Answers the question for a phrase: not confirmed. No phrase is this word."""


class Prompter:
    """Asks on stderr, reads from stdin. `still` hides the live screen during a question.

    `unanswered` says what is so when a question is left without an answer: that nothing was sent.

    Without a terminal every question raises Declined. Ctrl-C raises Interrupted, with every signal handler of the
    process.
    """

    manner = "typed at the terminal"

    def __init__(
        self,
        output: Output,
        *,
        stdin: TextIO | None = None,
        still: Callable[[], AbstractContextManager[None]] = nullcontext,
        unanswered: Callable[[], str] = str,
    ) -> None:
        self._output = output
        self._unanswered = unanswered
        self._stdin = stdin if stdin is not None else sys.stdin
        self._still = still

    @property
    def interactive(self) -> bool:
        """Whether stdin and stderr are terminals, so that a person can answer."""
        try:
            return self._stdin is not None and self._stdin.isatty() and self._output.err.is_tty
        except ValueError:
            return False

    def confirm_phrase(self, facts: Mapping[str, str], phrase: str) -> bool:
        """Show `facts`; True only if the operator types `phrase` exactly, within three tries.

        Ignores only the number of blanks. An empty line or the end of input means no.
        """
        if not self.interactive:
            raise Declined(
                "uscdr cannot ask for confirmation without a terminal.",
                why=f"This run needs the confirmation phrase: {phrase}",
                next_action=f"Read the plan. Then run the command again with --confirm {shlex.quote(phrase)}",
            )
        return self._interruptible(lambda: self._confirmed(facts, phrase))

    def choose(self, question: str, options: Sequence[str]) -> str:
        """The one of `options` that the operator typed in full.

        Raises Declined at the end of input or after three invalid answers.
        """
        self._need_terminal(question)
        chosen = self._interruptible(lambda: self._chosen(question, options))
        if chosen is None:
            raise self._not_answered(question, "Decide, then run the command again.")
        return chosen

    def ask(self, question: str) -> str:
        """A non-empty line of text. Raises Declined at the end of input or after three empty lines."""
        self._need_terminal(question)
        told = self._interruptible(lambda: self._told(question))
        if told is None:
            raise self._not_answered(question, "Find the answer, then run the command again.")
        return told

    def _not_answered(self, question: str, action: str) -> Declined:
        return Declined(f"No answer to: {question}", next_action=f"{self._unanswered()} {action}".lstrip())

    def _need_terminal(self, question: str) -> None:
        if not self.interactive:
            raise Declined(
                f"Not answered: {question}",
                why="uscdr cannot ask the operator without a terminal.",
                next_action="Run the command again in a terminal.",
            )

    def _confirmed(self, facts: Mapping[str, str], phrase: str) -> bool:
        self._facts(facts)
        self._output.warn(line("To continue, type exactly (an empty line or “stop” stops):"))
        self._output.warn(line("  ", Span(phrase, "strong")))
        return self._phrase_typed(phrase)

    def _chosen(self, question: str, options: Sequence[str]) -> str | None:
        self._output.warn(line(Span(question, "strong")))
        for _ in range(TRIES):
            answer = self._read(f"{' / '.join(options)}> ")
            if answer is None or answer in options:
                return answer
            self._output.warn(f"Type one of: {', '.join(options)}.")
        return None

    def _told(self, question: str) -> str | None:
        self._output.warn(line(Span(question, "strong")))
        for _ in range(TRIES):
            answer = self._read("> ")
            if answer or answer is None:
                return answer
        return None

    def _phrase_typed(self, phrase: str) -> bool:
        for left in range(TRIES - 1, -1, -1):
            typed = self._read("> ")
            if not typed or typed == NO:
                return False
            wrong = difference(typed, phrase)
            if not wrong:
                return True
            again = f"{plural(left, 'more try', 'more tries')}." if left else "Nothing was confirmed."
            self._output.warn(f"That is not the phrase: {wrong}. {again}")
        return False

    def _facts(self, facts: Mapping[str, str]) -> None:
        widest = max((cells(name) for name in facts), default=0)
        for name, value in facts.items():
            self._output.warn(line(Span(f"  {name}{' ' * (widest - cells(name))}  ", "dim"), value))

    def _read(self, mark: str) -> str | None:
        """One line without surrounding blanks; None at the end of input."""
        try:
            typed = self._line(mark)
        except UnicodeDecodeError:
            return "\ufffd"  # not valid text: never equal to a phrase
        except OSError:  # the terminal hung up
            return None
        if not typed:
            self._output.err.offer("\n")
            return None
        return typed.strip()

    def _line(self, mark: str) -> str:
        """One line with its end; empty at the end of input. At a terminal that can, the operator edits it."""
        if can_edit(self._output, self._stdin):
            return edited_line(mark)
        self._output.err.offer(mark)
        return self._stdin.readline()

    def _interruptible(self, question: Callable[[], T]) -> T:
        try:
            with WATCH.person(), self._still(), self._line_ended(), _own_interrupts() as interrupts:
                self._forget_keys()
                try:
                    return interrupts.within(question)
                finally:
                    self._forget_keys()
        except KeyboardInterrupt as error:
            raise Interrupted(
                "The operator interrupted a question and confirmed nothing.",
                next_action=f"{self._unanswered()} Run the command again and answer it.".lstrip(),
            ) from error

    @contextmanager
    def _line_ended(self) -> Iterator[None]:
        """End the line of an interrupted question, before the live screen is drawn below it."""
        try:
            yield
        except KeyboardInterrupt:
            self._output.err.offer("\n")
            raise

    def _forget_keys(self) -> None:
        # Keys that were pressed before a question do not answer it; the rest of a paste is not for the shell.
        import termios

        try:
            termios.tcflush(self._stdin.fileno(), termios.TCIFLUSH)
        except (OSError, ValueError, termios.error):
            return


ENDS_A_QUESTION = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class _Interrupts:
    """Signals during a question: the first signal ends the question.

    A terminal that hangs up sends its signal twice, at the end of the input. Neither may arrive at the end of the
    question, where no code catches it.
    """

    def __init__(self) -> None:
        self._raises = False
        self._told = False
        self.waiting: int | None = None
        """A signal that came before or after the question and was not passed on."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        del frame
        if self._told:
            return
        if self._raises:
            self._told = True
            raise KeyboardInterrupt
        self.waiting = number

    def within(self, question: Callable[[], T]) -> T:
        """Run `question` and return the answer. Raises KeyboardInterrupt."""
        try:
            self._raises = True
            if self.waiting is not None:
                self._told, self.waiting = True, None
                raise KeyboardInterrupt
            return question()
        finally:
            self._raises = False


@contextmanager
def _own_interrupts() -> Iterator[_Interrupts]:
    """Send signals to the question; pass others on to the previous handler."""
    interrupts = _Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    wanted = [number for number in ENDS_A_QUESTION if signal.getsignal(number) is not signal.SIG_IGN]
    before = [(number, signal.signal(number, interrupts)) for number in wanted]
    try:
        yield interrupts
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if interrupts.waiting is not None:
            signal.raise_signal(interrupts.waiting)
