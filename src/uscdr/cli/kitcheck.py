"""Is a kit whole, and could the application be rebuilt from it today?"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from uscdr import leftovers, wiring
from uscdr.assembly.escrow import ill_kept
from uscdr.assembly.job import Job
from uscdr.cli.invocation import Globals, state
from uscdr.cli.kitbuild import media_of
from uscdr.cli.kitlook import Opening, Wanted
from uscdr.cli.kitwords import show_examination
from uscdr.cli.speech import Speech
from uscdr.errors import BadInput, ExitCode
from uscdr.journal import runs
from uscdr.scenarios.deps import Request
from uscdr.session import surroundings
from uscdr.ui.console import Output
from uscdr.vault.deployed import Deployed
from uscdr.vault.examine import Examination, examine
from uscdr.vault.freshness import Seen, judge
from uscdr.vault.seal import identities


@dataclass(frozen=True)
class CheckOptions:
    """What stands on the command line of `kit check`. `minimum`: points of freshness."""

    wanted: Wanted
    online: bool = False
    restore: bool = False
    minimum: int | None = None


def check_kit(given: Globals, asked: CheckOptions, *, as_json: bool) -> int:
    """Look at everything; 1 for damage, for a kit that lacks something, or for one that is not fresh enough."""
    output = given.output(json_lines=as_json)
    if asked.restore and asked.wanted.identity is None:
        raise BadInput(
            "Without its private key a dump cannot be restored.",
            next_action="Name the key: uscdr kit check --restore --identity FILE",
        )
    store, kit = asked.wanted.find(given)
    keys = identities(asked.wanted.identity) if asked.wanted.identity is not None else ()
    for words in ill_kept(asked.wanted.identity, os.environ) if asked.wanted.identity is not None else ():
        given.warn(words)
    speech = Speech(output)
    with leftovers.workplace(state(), runs.new_run_id("kit")) as work:
        found = examine(store, kit, keys, work, lambda done, total: speech.progress("checking", done, total, "objects"))
    seen = seen_of(found)
    fresh = judge(_compared(given, seen, output) if asked.online else seen)
    enough = asked.minimum is None or fresh.score >= asked.minimum
    show_examination(found, fresh, asked.minimum, output)
    shown = not asked.restore or _restored(given, Opening(store, kit, keys), output)
    return int(ExitCode.DONE if found.sound and found.card.complete and enough and shown else ExitCode.CHECK_FAILED)


def _restored(given: Globals, opening: Opening, output: Output) -> bool:
    from uscdr.cli.kitproof import restores

    return restores(given, opening, output)


def seen_of(found: Examination) -> Seen:
    """What its freshness is judged by."""
    return Seen(
        at=datetime.now(UTC), card=found.card, damaged=len(found.lost), rpo=found.card.rpo,
        manifest=found.manifest, commit=found.commit, media=found.media,
    )  # fmt: skip


def _compared(given: Globals, seen: Seen, output: Output) -> Seen:
    """The same with what is deployed, and the objective of today; by wiring that cannot write."""
    place = given.place()
    app = place.target.heroku.app
    if seen.card.app != app:
        raise BadInput(
            f"The kit is of the application {seen.card.app}, and the target {place.name} is {app}.",
            next_action="Name the right one: uscdr --target NAME kit check --online",
        )
    job = Job(place, Request("kit"), runs.new_run_id("kit"), None, dry_run=True)
    with surroundings(output, state(), os.environ) as around, wiring.opened(job, around) as (deps, _):
        deployed = Deployed(app, deps.platform, deps.deploys, media_of(deps))
        return replace(seen, now=deployed.look(seen.manifest), rpo=place.config.objectives.rpo)
