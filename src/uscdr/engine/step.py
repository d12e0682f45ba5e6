"""What a step is: look, plan, act, look again. Only `apply` may write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from uscdr.errors import BadInput, UscdrError
from uscdr.models.base import Fact

if TYPE_CHECKING:
    from uscdr.events import Bus
    from uscdr.models.base import Call


F = TypeVar("F", bound=Fact)
S = TypeVar("S", bound=Fact)
R = TypeVar("R", bound=Fact)


class Effect(StrEnum):
    """What happens if a step is repeated."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    FINDABLE = "findable"
    """Not idempotent, but the provider can be asked for its effect. An effect that is not found may still come: the
    write is sent again only when a person says so, or when `FoundWrite.again` says that this is harmless."""
    ONCE = "once"
    """Not idempotent and not findable: after a lost answer only a person can decide."""


@dataclass(frozen=True)
class Action:
    """What a step would do now. Pure data, made without I/O."""

    kind: Literal["read", "change", "noop", "skip", "later", "blocked"]
    summary: str
    calls: tuple[Call, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    """Known values of the command to type instead: name -> value."""
    manual: tuple[str, ...] = ()
    """Those commands themselves, where their number depends on what was seen."""
    approved: Mapping[str, str] = field(default_factory=dict)
    """The facts that the operator approves; if one differs when the step's turn comes, the run stops."""
    caution: str = ""
    """Of a read step: a warning against any change, in one sentence, shown before the first question."""
    way: str = ""
    """Of a blocked step: what to do instead, with a command to paste, if the summary does not say it."""

    @property
    def words(self) -> str:
        """The summary, and what to do instead."""
        return f"{self.summary} {self.way}".rstrip()


@dataclass(frozen=True)
class Intent:
    """A start of this step by an earlier process, without an end in the journal."""

    at: str
    baseline: Mapping[str, Any]
    accepted: str | None
    sent: bool = True
    """Whether the request may have been sent."""

    def texts(self, name: str) -> tuple[str, ...]:
        """The baseline's texts of this name; empty without any. Raises BadInput."""
        found = self.baseline.get(name) or ()
        if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
            raise self._odd(name)
        return tuple(found)

    def text(self, name: str) -> str:
        """The baseline's text of this name; empty without one. Raises BadInput."""
        found = self.baseline.get(name) or ""
        if not isinstance(found, str):
            raise self._odd(name)
        return found

    def number(self, name: str) -> int:
        """The baseline's number of this name; 0 without one. Raises BadInput."""
        found = self.baseline.get(name) or 0
        if not isinstance(found, int):
            raise self._odd(name)
        return found

    def numbers(self, name: str) -> dict[str, int]:
        """The baseline's numbers by name, of this name; empty without any. Raises BadInput."""
        found = self.baseline.get(name) or {}
        if not isinstance(found, Mapping) or not all(isinstance(one, int) for one in found.values()):
            raise self._odd(name)
        return dict(found)

    def _odd(self, name: str) -> BadInput:
        return BadInput(
            f"The journal's record of the state before this step is unreadable ({name}).",
            why="Another version of uscdr wrote the journal, or somebody copied it from another run.",
            next_action="Check at the provider what was done, then start a new run: uscdr recover … --new",
        )


@dataclass(frozen=True)
class FoundWrite:
    """The result of a search for a lost write. `provider_id` is None when no effect is visible (yet).

    `again`: it may be sent again without asking, because it certainly had no effect, or is harmless twice.
    """

    looked_at: str
    found: str
    provider_id: str | None
    again: bool = False


@dataclass(frozen=True)
class BlastRadius:
    """What a destructive step destroys: facts to show, and the phrase that confirms them (see `gate.short_phrase`)."""

    facts: Mapping[str, str]
    phrase: str


class Reporter(Protocol):
    """How a step reports while it works."""

    def sending(self) -> None:
        """Journal that the request that changes something is sent next."""
        ...

    def accepted(self, provider_id: str) -> None:
        """Journal at once that the provider accepted the write."""
        ...

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """Report progress; not journalled."""
        ...

    def warn(self, text: str) -> None:
        """Warn the operator."""
        ...

    def check(self, name: str, verdict: Literal["pass", "fail", "inconclusive", "not checked"], evidence: str) -> None:
        """Report one check's verdict."""
        ...


Need = type[Fact] | tuple[type[Fact], ...]
"""A result that another step must give; of several, any one."""


class View:
    """What a step knows of the run: earlier results by type, and its own unfinished start."""

    def __init__(self, *, thorough: bool) -> None:
        self.thorough = thorough
        """Whether planning includes slow reads (a dry run) instead of leaving them for later."""
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
        """The result of this type. The step lists it in `needs`, so the loader and the runner guarantee it."""
        found = self.get(kind)
        if found is None:
            raise UscdrError(f"A step uses {kind.__name__} without listing it in its needs.")
        return found

    def lacks(self, needs: Iterable[Need]) -> tuple[Need, ...]:
        """Those of `needs` that no step has given yet."""
        return tuple(need for need in needs if not any(kind in self._results for kind in alternatives(need)))


def alternatives(need: Need) -> tuple[type[Fact], ...]:
    """The results, any one of which meets the need."""
    return need if isinstance(need, tuple) else (need,)


class Step(ABC, Generic[S, R]):
    """Base of all steps: S is what it sees, R its result. `probe` reads, `plan` is pure, `apply` writes,
    `verify` reads again. A READ step's result is what it saw: `apply` is never called.

    A method that raises NotImplementedError is required by certain effects only; a test checks every registered step.
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
    """Those of `needs` that planning requires; None: all of them."""
    waits: ClassVar[str] = ""
    """What the plan says while one of those is missing."""
    checked_by: ClassVar[tuple[Need, ...]] = ()
    """Results of later steps that verify its effect."""
    done_without: ClassVar[str] = ""
    """For the operator, if only this step failed and only read steps would follow: what is done, and what to do for
    the rest. Empty: the work is incomplete without this step."""
    slow: ClassVar[bool] = False
    """Whether planning a real run leaves this read for later; a dry run does it."""
    counted: ClassVar[bool] = True
    """Whether every write of the step passes the write guard, so that it is known when none was sent. Not for writes to
    a store of copies."""
    says_when_sent: ClassVar[bool] = False
    """FINDABLE only: whether `apply` calls `tell.sending` just before the one request that must not happen twice."""
    ahead: ClassVar[tuple[Need, ...]] = ()
    """FINDABLE only: results after which its request may be sent before its turn, if `goes_ahead`; its turn waits for
    the end. Empty: never."""
    fresh_for: ClassVar[float] = 0.0
    """READ only: for how many seconds the step uses what the plan saw instead of reading again."""

    def __init__(self, step_id: str) -> None:
        self.id = step_id

    def ready(self, view: View) -> str | None:
        """None when the step can be probed, else what it waits for, e.g. `known after the backup is proven`."""
        return self.waits if view.lacks(self.needs if self.plans_with is None else self.plans_with) else None

    @abstractmethod
    def probe(self, view: View, tell: Reporter) -> S:
        """Read the current state; never writes."""

    @abstractmethod
    def plan(self, seen: S, view: View) -> Action:
        """Say what the step would do; no I/O."""

    def plan_later(self, waiting_for: str) -> Action:
        """The plan's line while `ready` says that something is missing."""
        return Action("later", waiting_for, self.calls())

    def calls(self) -> tuple[Call, ...]:
        """The requests it will send, as far as they are known before it reads."""
        return ()

    def by_hand(self, known: Mapping[str, str]) -> tuple[str, ...]:
        """The commands to type instead, with known values filled in; secrets as `$NAMES`."""
        del known
        return ()

    def before(self, seen: S) -> dict[str, Any]:
        """The part of `seen` that the journal keeps with the intent, for a later check or undo."""
        del seen
        return {}

    def apply(self, seen: S, view: View, tell: Reporter) -> R:
        """Every effect but READ: write, and wait for the end; the only method that writes."""
        raise NotImplementedError

    def goes_ahead(self, seen: S) -> bool:
        """Steps with `ahead`: whether nothing is lost when it is sent now, whatever becomes of the steps between."""
        del seen
        return False

    def send(self, seen: S, tell: Reporter) -> str:
        """Steps with `ahead`: the first half of `apply`. Returns the provider's id; `adopt` waits for the end."""
        raise NotImplementedError

    def current(self, seen: S, view: View) -> R:
        """Steps whose plan may be `noop`, and ONCE: the result when nothing was necessary."""
        raise NotImplementedError

    def verify(self, result: R, view: View, tell: Reporter) -> str:
        """Every effect but READ: read again and return the summary. Raises CheckFailed or OutcomeUnknown."""
        raise NotImplementedError

    def find(self, intent: Intent, view: View, tell: Reporter) -> FoundWrite:
        """FINDABLE only: did the lost write take effect? Raises OutcomeUnknown when it cannot tell."""
        raise NotImplementedError

    def adopt(self, provider_id: str, seen: S, view: View, tell: Reporter) -> R:
        """FINDABLE only: continue to wait for the write that was found."""
        raise NotImplementedError

    def otherwise(self, seen: S) -> str:
        """Another way when the provider cannot do it, and what is lost by that; empty without one."""
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


# Turns a step's reports into events.


class StepReporter:
    """Reports for one step, on the bus. The runbook shows steps without any event."""

    def __init__(self, bus: Bus, step: str, name: str = "") -> None:
        self._bus = bus
        self._step = step
        self._name = name

    def sending(self) -> None:
        """To the journal, before the request is sent."""
        from uscdr.models.events import StepSending

        self._bus.emit(StepSending(step=self._step))

    def accepted(self, provider_id: str) -> None:
        """To the journal at once."""
        from uscdr.models.events import StepAccepted

        self._bus.emit(StepAccepted(step=self._step, name=self._name, provider_id=provider_id))

    def progress(self, note: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        """To the screen only."""
        from uscdr.models.events import StepProgress

        self._bus.emit(StepProgress(step=self._step, note=note, done=done, total=total, unit=unit))

    def warn(self, text: str) -> None:
        """To journal and screen."""
        from uscdr.models.events import Note

        self._bus.emit(Note(level="warning", text=text))

    def check(self, name: str, verdict: Literal["pass", "fail", "inconclusive", "not checked"], evidence: str) -> None:
        """To journal and screen."""
        from uscdr.models.events import CheckFinished

        self._bus.emit(CheckFinished(step=self._step, check=name, verdict=verdict, evidence=evidence))
