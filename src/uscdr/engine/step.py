"""What a step is: look, plan, act, look again. Only `apply` may write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from uscdr.errors import BadInput, UscdrError
from uscdr.models.base import Fact
from uscdr.models.events import CheckFinished, Note, StepAccepted, StepProgress, StepSending

if TYPE_CHECKING:
    from uscdr.events import Bus
    from uscdr.models.events import Call


F = TypeVar("F", bound=Fact)
S = TypeVar("S", bound=Fact)
R = TypeVar("R", bound=Fact)


class Effect(StrEnum):
    """What repeating a step would mean."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    FINDABLE = "findable"
    """Not idempotent, but its effect can be found by asking the provider. What is not found may still come: it is
    sent again only when a person says so, or where `Finding.again` tells that this does no harm."""
    ONCE = "once"
    """Not idempotent and not findable: a lost one is a question for the person."""


@dataclass(frozen=True)
class Action:
    """What a step would do now. Pure data, made without I/O."""

    kind: Literal["read", "change", "noop", "skip", "later", "blocked"]
    summary: str
    calls: tuple[Call, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    """What is known by now of the command that a person would type instead: name -> value."""
    manual: tuple[str, ...] = ()
    """That command itself, where it cannot be told beforehand how many there are."""
    approved: Mapping[str, str] = field(default_factory=dict)
    """What the person approves: if any of it differs when the step's turn comes, the run stops."""
    caution: str = ""
    """Of a look: what speaks against changing anything, in a sentence. It stands before the first question."""


@dataclass(frozen=True)
class Intent:
    """An earlier process's start of this step, without an end in the journal."""

    at: str
    baseline: Mapping[str, Any]
    accepted: str | None
    sent: bool = True
    """Whether the request may have gone out."""

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts that the baseline keeps under this name; none when it keeps nothing. Raises BadInput."""
        found = self.baseline.get(name) or ()
        if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
            raise self._odd(name)
        return tuple(found)

    def text(self, name: str) -> str:
        """The same of one text; empty when there is none."""
        found = self.baseline.get(name) or ""
        if not isinstance(found, str):
            raise self._odd(name)
        return found

    def number(self, name: str) -> int:
        """The same of a number; 0 when there is none."""
        found = self.baseline.get(name) or 0
        if not isinstance(found, int):
            raise self._odd(name)
        return found

    def numbers(self, name: str) -> dict[str, int]:
        """The same of numbers by name."""
        found = self.baseline.get(name) or {}
        if not isinstance(found, Mapping) or not all(isinstance(one, int) for one in found.values()):
            raise self._odd(name)
        return dict(found)

    def _odd(self, name: str) -> BadInput:
        return BadInput(
            f"The journal does not say in a way that is understood what was there before ({name}).",
            why="Another version wrote it, or it was copied from elsewhere.",
            next_action="See at the provider what was done, then begin anew, on purpose: uscdr recover … --new",
        )


@dataclass(frozen=True)
class FoundWrite:
    """What looking for a lost write gave. `provider_id` is None when no effect is to be seen (yet).

    `again`: it may be sent again unasked, for it surely had no effect, or twice would be as once.
    """

    looked_at: str
    found: str
    provider_id: str | None
    again: bool = False


@dataclass(frozen=True)
class BlastRadius:
    """What a destructive step destroys, in facts and as phrases any of which confirms it; the first is shown."""

    facts: Mapping[str, str]
    phrases: tuple[str, ...]


class Reporter(Protocol):
    """How a step speaks while it works."""

    def sending(self) -> None:
        """The request that changes something goes out next: goes to the journal before it."""
        ...

    def accepted(self, provider_id: str) -> None:
        """The provider took the write: goes to the journal at once."""
        ...

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """How far it got; not journalled."""
        ...

    def warn(self, text: str) -> None:
        """Something the operator should know."""
        ...

    def check(self, name: str, verdict: Literal["pass", "fail", "inconclusive", "not checked"], evidence: str) -> None:
        """One check's verdict."""
        ...


Need = type[Fact] | tuple[type[Fact], ...]
"""A result that another step must give; of several, any one."""


class View:
    """What a step may know of the run: earlier results by type, and its own unfinished start."""

    def __init__(self, *, thorough: bool) -> None:
        self.thorough = thorough
        """Whether planning may take its time (a dry run), instead of leaving slow looks for later."""
        self._results: dict[type[Fact], Fact] = {}
        self.intents: dict[str, Intent] = {}

    def remember(self, result: Fact) -> None:
        """Make a result known to later steps."""
        self._results[type(result)] = result

    def get(self, kind: type[F]) -> F | None:
        """The newest result of this type, if any step gave one."""
        found = self._results.get(kind)
        return found if isinstance(found, kind) else None

    def need(self, kind: type[F]) -> F:
        """The result of this type, which the step names among its needs: the loader and the runner see to it."""
        found = self.get(kind)
        if found is None:
            raise UscdrError(f"A step asks for {kind.__name__} and does not name it among its needs.")
        return found

    def lacks(self, needs: Iterable[Need]) -> tuple[Need, ...]:
        """Those of `needs` that no step has given yet."""
        return tuple(need for need in needs if not any(kind in self._results for kind in alternatives(need)))


def alternatives(need: Need) -> tuple[type[Fact], ...]:
    """The results any one of which meets the need."""
    return need if isinstance(need, tuple) else (need,)


class Step(ABC, Generic[S, R]):
    """Base of all steps: S is what it sees, R its result. `probe` reads, `plan` is pure, `apply` writes,
    `verify` looks again. A READ step's result is what it saw: `apply` is never called.

    What raises NotImplementedError is demanded by the step's effect only; a test holds every registered step to that.
    """

    name: ClassVar[str]
    """What scenarios.yaml and journals call it, e.g. `backup.restore`."""
    title: ClassVar[str]
    effect: ClassVar[Effect]
    destructive: ClassVar[bool] = False
    """Asks for its phrase. Unless it can be repeated, it destroys something itself."""
    gives: ClassVar[type[Fact]]
    """Its result."""
    needs: ClassVar[tuple[Need, ...]] = ()
    """Results of earlier steps, without which it may not take its turn."""
    plans_with: ClassVar[tuple[Need, ...] | None] = None
    """Those of `needs` that planning must have to look ahead; None: all of them."""
    waits: ClassVar[str] = ""
    """The plan's words while one of those is missing."""
    checked_by: ClassVar[tuple[Need, ...]] = ()
    """Results of later steps, without which its effect would be taken on trust."""
    done_without: ClassVar[str] = ""
    """For a person, when this alone failed and only looks would have come after it: the work itself is done, and what
    to do for the rest. Empty: the work is not done without it."""
    slow: ClassVar[bool] = False
    """Whether planning a real run leaves this look for later (a dry run does it)."""
    says_when_sent: ClassVar[bool] = False
    """FINDABLE only: whether `apply` calls `tell.sending` just before its one request that may not happen twice."""
    fresh_for: ClassVar[float] = 0.0
    """READ only: for how many seconds what the plan saw still counts, instead of looking again."""

    def __init__(self, step_id: str) -> None:
        self.id = step_id

    def ready(self, view: View) -> str | None:
        """None when the step can be probed, else what it waits for, e.g. `known after the backup is proven`."""
        return self.waits if view.lacks(self.needs if self.plans_with is None else self.plans_with) else None

    @abstractmethod
    def probe(self, view: View, tell: Reporter) -> S:
        """Look; reads only."""

    @abstractmethod
    def plan(self, seen: S, view: View) -> Action:
        """Say what would be done; no I/O."""

    def plan_later(self, waiting_for: str) -> Action:
        """The plan's line when `ready` says what is waited for."""
        return Action("later", waiting_for, self.calls())

    def calls(self) -> tuple[Call, ...]:
        """The requests it will send, as far as that is known before it looks."""
        return ()

    def by_hand(self, known: Mapping[str, str]) -> tuple[str, ...]:
        """What a person types instead, with what is known filled in; secrets as `$NAMES`."""
        del known
        return ()

    def before(self, seen: S) -> dict[str, Any]:
        """What the journal keeps of `seen` with the intent, for settling or undoing later."""
        del seen
        return {}

    def apply(self, seen: S, view: View, tell: Reporter) -> R:
        """Every effect but READ: act and wait for the end; the only place that writes."""
        raise NotImplementedError

    def current(self, seen: S, view: View) -> R:
        """Whose plan may say `noop`, and ONCE: the result when nothing had to be done."""
        raise NotImplementedError

    def verify(self, result: R, view: View, tell: Reporter) -> str:
        """Every effect but READ: a fresh look after the act. The summary; raises CheckFailed or OutcomeUnknown."""
        raise NotImplementedError

    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        """FINDABLE only: did the lost write take effect? Raises OutcomeUnknown for what may be it and may not."""
        raise NotImplementedError

    def adopt(self, provider_id: str, seen: S, view: View, tell: Reporter) -> R:
        """FINDABLE only: go on waiting for the write that was found."""
        raise NotImplementedError

    def otherwise(self, seen: S) -> str:
        """What leads on when the provider cannot do it, and what is lost by that; empty when nothing does."""
        del seen
        return ""

    def blast(self, seen: S, view: View) -> BlastRadius:
        """Destructive steps only: what will be destroyed."""
        raise NotImplementedError


@dataclass(frozen=True)
class BoundStep:
    """A step with its place in a scenario."""

    step: Step[Any, Any]
    title: str
    phase: str
    params: Mapping[str, Any]


# A step's voice: its words become events.


class StepReporter:
    """Speaks for one step on the bus."""

    def __init__(self, bus: Bus, step: str, name: str = "") -> None:
        self._bus = bus
        self._step = step
        self._name = name

    def sending(self) -> None:
        """To the journal before the request goes out."""
        self._bus.emit(StepSending(step=self._step))

    def accepted(self, provider_id: str) -> None:
        """To the journal at once."""
        self._bus.emit(StepAccepted(step=self._step, name=self._name, provider_id=provider_id))

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """To the screen only."""
        self._bus.emit(StepProgress(step=self._step, note=note, done=done, total=total, unit=unit))

    def warn(self, text: str) -> None:
        """To journal and screen."""
        self._bus.emit(Note(level="warning", text=text))

    def check(self, name: str, verdict: Literal["pass", "fail", "inconclusive", "not checked"], evidence: str) -> None:
        """To journal and screen."""
        self._bus.emit(CheckFinished(step=self._step, check=name, verdict=verdict, evidence=evidence))
