"""A fault at a provider's call during a recovery: the verdict is right, nothing happens twice, and resume ends it."""

from __future__ import annotations

import random
import re
import signal
from dataclasses import dataclass
from typing import Any

from .kill import RECOVER, captures, gone_on
from .product import HUNG, Ended, Product
from .stand import Stand
from .tally import Tally

AFTER_EFFECT = frozenset({"timeout-after", "reset-after", "truncated", "wrong-types"})
"""Kinds whose call took effect although its answer was spoiled."""
DEFINITIVE = frozenset({"transfer-fails", "transfer-vanishes"})
"""Kinds after which the first restore is surely over, so that a second one is right."""
PLAIN = (
    "refuse", "reset-before", "reset-after", "401", "403", "403-two-factor", "404", "409", "422", "423-confirmation",
    "429", "429-bare", "500", "503-html", "html-200", "empty-200", "truncated", "wrong-types", "redirect",
)  # fmt: skip
SLOW = ("timeout-before", "timeout-after")
TRANSFER = ("transfer-fails", "transfer-vanishes", "transfer-warnings", "transfer-hangs")
HANGS = 25.0  # seconds of a transfer that never ends, before the operator gives up
RESUMES = 3
INTERRUPTED = 130
DECLINED = 4
NOTHING_TO_RESUME = 2
_DAMAGE = "drop-table"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@dataclass(frozen=True)
class Fault:
    """One rule of the sandbox. `count` 0 is without end."""

    kind: str
    method: str
    path: str
    call: int = 1
    count: int = 1

    @property
    def name(self) -> str:
        """For a person."""
        often = {1: "", 0: " for ever"}.get(self.count, f" x{self.count}")
        return f"{self.kind} {self.method} {self.path} #{self.call}{often}"


def calls(audit: list[dict[str, Any]]) -> list[Fault]:
    """Every call of an undisturbed recovery as a rule without kind: method, path pattern, which of that pattern."""
    seen: dict[tuple[str, str], int] = {}
    found = []
    for one in audit:
        key = (str(one["method"]), _UUID.sub("*", str(one["path"])))
        seen[key] = seen.get(key, 0) + 1
        found.append(Fault("", *key, call=seen[key]))
    return found


def every_case(known: list[Fault]) -> list[Fault]:
    """Each call with each kind; reads also with a fault that stays."""
    cases = []
    for call in known:
        transfer = call.method == "POST" and call.path.endswith(("/restores", "/backups"))
        for kind in (*PLAIN, *SLOW, *(TRANSFER if transfer else ())):
            counts = (1, 0) if call.method == "GET" and kind not in SLOW else (1,)
            cases += [Fault(kind, call.method, call.path, call.call, count) for count in counts]
    return cases


def sample(cases: list[Fault], count: int, chance: random.Random) -> list[Fault]:
    """The restore with every kind that is quick, the other writes, then reads, until there are `count`."""
    restores = [one for one in cases if one.path.endswith("/restores")]
    quick = [one for one in restores if one.kind not in SLOW or one.kind == "timeout-after"]
    writes = [one for one in cases if _changes(one) and one not in restores and one.kind not in SLOW]
    reads = [one for one in cases if not _changes(one) and one.kind not in SLOW]
    left = max(0, count - len(quick))
    return [
        *quick,
        *chance.sample(writes, min(len(writes), left * 2 // 5)),
        *chance.sample(reads, min(len(reads), left - left * 2 // 5)),
    ]


def _changes(call: Fault) -> bool:
    return call.method in ("PATCH", "DELETE") or (call.method == "POST" and not call.path.startswith("/actions/")
                                                  and not call.path.endswith("/public-url"))  # fmt: skip


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Record an undisturbed recovery, then disturb `count` others."""
    known = _undisturbed(stand, tally)
    chance = random.Random(seed)
    cases = every_case(known)
    for fault in sample(cases, count, chance):
        if not tally.goes_on():
            break
        one_case(stand, tally, fault)


def _undisturbed(stand: Stand, tally: Tally) -> list[Fault]:
    wrong = stand.damage(_DAMAGE)
    phrase, mark, product = stand.phrase(_DAMAGE), len(stand.audit()), stand.case("calm")
    ended = product.run(*RECOVER, "--confirm", phrase)
    made = stand.audit()[mark:]
    wrong += [*ended.complaints(0), *stand.complaints()]
    tally.case("undisturbed", wrong=wrong)
    tally.leak("undisturbed", stand.done_with(product))
    own = [one for one in made if not one["path"].endswith("/config-vars") or one["method"] == "GET"]
    return calls(own)


def one_case(stand: Stand, tally: Tally, fault: Fault) -> None:
    """Break, recover under the fault, judge the verdict; clear, resume, judge the end."""
    wrong = stand.damage(_DAMAGE)
    phrase, mark, product = stand.phrase(_DAMAGE), stand.mark(), stand.case("fault")
    stand.errand(
        "sandbox", "fault", "add", fault.kind, "--method", fault.method, "--path", fault.path,
        "--call", str(fault.call), "--count", str(fault.count),
    )  # fmt: skip
    ended = _disturbed(product, phrase, fault)
    stand.errand("sandbox", "fault", "clear")  # what was not met must not meet our own looks
    wrong += _verdict(stand, ended, fault)
    _cancel_hanging(stand, fault)
    if ended.code != 0:
        wrong += resumed(stand, product, phrase)
    wrong += stand.complaints()
    tally.case(fault.name, wrong=wrong, doubles=_doubles(stand, mark, fault))
    tally.leak(fault.name, stand.done_with(product))
    if wrong:
        stand.heal()


def _disturbed(product: Product, phrase: str, fault: Fault) -> Ended:
    """The recovery; where nothing would ever end, the operator presses Ctrl-C."""
    running = product.start(*RECOVER, "--confirm", phrase)
    if fault.kind == "transfer-hangs":
        running.wait_for(lambda: False, HANGS)
        if running.process.poll() is None:
            running.send(signal.SIGINT)
    return running.wait()


def _verdict(stand: Stand, ended: Ended, fault: Fault) -> list[str]:
    """Documented, in words, and never a success that is none."""
    allowed = (INTERRUPTED,) if fault.kind == "transfer-hangs" else (0, 1, 3, 5)
    wrong = ended.complaints(*allowed)
    if ended.code == HUNG:
        wrong.append("it hung")
    if ended.code == 0:
        wrong += [f"false success: {what}" for what in stand.complaints()]
    if ended.code not in (0, HUNG) and "Next:" not in ended.err:
        wrong.append("no next action was named")
    return wrong


def _cancel_hanging(stand: Stand, fault: Fault) -> None:
    """What the operator does about a transfer that never ends: heroku pg:backups:cancel."""
    if fault.kind != "transfer-hangs":
        return
    for one in stand.transfers():
        if one["finished_at"] is None:
            stand.api("POST", f"/client/v11/apps/{stand.app}/transfers/{one['uuid']}/actions/cancel")


def resumed(stand: Stand, product: Product, phrase: str) -> list[str]:
    """Resume until done; with the phrase of now when it is asked for."""
    words: tuple[str, ...] = ()
    for _ in range(RESUMES):
        ended = gone_on(product, *words)
        if ended.code == 0:
            return ended.complaints(0)
        if ended.code == NOTHING_TO_RESUME:
            return product.run(*RECOVER, "--confirm", phrase).complaints(0)
        if ended.code == DECLINED:
            words = ("--confirm", stand.asked_for(ended) or phrase)
    return [f"resume does not end: {ended.code} {ended.last()}"]


def _doubles(stand: Stand, mark: int, fault: Fault) -> list[str]:
    """Effects beyond the one that was wanted."""
    writes = stand.writes(mark)
    restores = [one for one in writes if one["path"].endswith("/restores") and _took_effect(one)]
    allowed = 2 if fault.kind in DEFINITIVE or (fault.kind == "transfer-hangs") else 1
    found = [] if len(restores) <= allowed else [f"{len(restores)} restores"]
    if not fault.kind.startswith("transfer-") and captures(writes) > 2:
        found.append(f"{captures(writes)} captures")
    return found


def _took_effect(record: dict[str, Any]) -> bool:
    if record["fault"] in AFTER_EFFECT:
        return True
    return record["status"] == 201 and (not record["fault"] or record["fault"].startswith(("transfer-", "slow")))
