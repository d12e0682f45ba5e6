"""Migrations that are not begun, and what a person does about them."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

from uscdr.errors import CheckFailed
from uscdr.models.migrations import MigrationsVerdict
from uscdr.scenarios.deps import Deps
from uscdr.words import first_of


def way_on(deps: Deps, found: MigrationsVerdict) -> str:
    """What a person does about the worst that is wrong, with commands to paste; empty when nothing is."""
    manage = f"heroku run --exit-code --app {deps.app} -- {deps.config.app.manage}"
    if found.disordered:
        return _in_order(found.disordered[0], manage)
    if found.obstacles:
        return _unblocked(found.obstacles[0], manage)
    if found.lacking:
        return RESTORE
    if found.ahead or found.unfillable:
        return (
            f"Deploy code that has {first_of(found.ahead) or 'these columns'}: uscdr recover app --ref REF --new. Or "
            f"take it back by the code that has it, which drops what it made: {manage} migrate {_app(found)} NAME"
        )
    return f"Apply what is pending: {manage} migrate --noinput" if found.pending else ""


RESTORE = "The database was changed by hand: restore a backup (uscdr recover db), or make again what is gone."


def _app(found: MigrationsVerdict) -> str:
    return found.ahead[0].partition(".")[0] if found.ahead else "APP"


def _in_order(words: str, manage: str) -> str:
    ground = words.partition(" before ")[2]
    if not ground:
        return "Deploy code in which one migration merges them (manage.py makemigrations --merge)."
    return f"If what {ground} makes is there, record it: {manage} migrate --fake {ground.replace('.', ' ')}"


def _unblocked(words: str, manage: str) -> str:
    name, _, what = words.partition(": ")
    if not what.endswith("already"):
        return RESTORE
    return (
        f"If all that {name} makes is there, record it: {manage} migrate --fake {name.replace('.', ' ')}. "
        "If only a part is there, drop that part, so that it is applied as a whole."
    )


def dangerous(deps: Deps, pending: Collection[str]) -> str:
    """The first of these migrations that must not run by itself, and why; empty when all may."""
    rules = deps.config.app.dangerous_migrations
    found = (f"{name} is pending and listed as dangerous: {rule.why}" for rule in rules for name in pending
             if fnmatchcase(name, rule.name))  # fmt: skip
    return next(found, "")


def refuse_dangerous(deps: Deps, pending: Collection[str], let_in: str) -> None:
    """Raises CheckFailed when one of these migrations must not run by itself; `let_in` are the commands for that."""
    words = dangerous(deps, pending)
    if words:
        raise CheckFailed(
            f"The migration {words}",
            why="No migration was begun, and users are still shut out.",
            next_action="Decide with the developers; when it has been dealt with: uscdr runs resume. "
            f"Or let users in as it is: {let_in}",
        )


def refuse_stuck(deps: Deps, found: MigrationsVerdict, let_in: str) -> None:
    """Raises CheckFailed when the pending migrations surely fail; `let_in` are the commands for that."""
    if found.stuck:
        raise CheckFailed(
            f"{found.stuck[0][:1].upper()}{found.stuck[0][1:]}.",
            why="No migration was begun, and users are still shut out.",
            next_action=f"{way_on(deps, found)} Then: uscdr runs resume. Or let users in as it is: {let_in}",
        )
