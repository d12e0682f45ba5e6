"""Keeps the list of recipients of notices: imports it, shows its counts, changes the people of team and stakeholders.

No address is printed: counts, dates, and lines of the operator's own file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NotRequired

from typing_extensions import TypedDict

from uscdr.clock import system_time
from uscdr.commands.housekeeping import state, warn_exposed
from uscdr.errors import BadInput
from uscdr.files import whole
from uscdr.incident.audience import HEADER, IMPORT, LIST, Audience, AudienceFiles, Gathered, Person, opened
from uscdr.journal import runs
from uscdr.models.base import aged
from uscdr.scenarios.adapters import Request
from uscdr.scenarios.config_channels import GROUPS
from uscdr.store.encryption import Identity
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import show_table
from uscdr.wiring import adapters, stores
from uscdr.wiring.kits import identity_file
from uscdr.wiring.session import looking
from uscdr.words import first_of, moment, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from uscdr.commands.kit_list import KitChoice
    from uscdr.incident.audience import AudienceHeader
    from uscdr.scenarios.config_channels import Group
    from uscdr.ui.console import Output
    from uscdr.wiring.targets import Targets

_LARGEST_FILE = 1 << 26
_SHOWN_LINES = 8


@dataclass(frozen=True)
class ImportOptions:
    """The command-line options of `audience import`. Without `file`, the application's database is asked."""

    file: Path | None = None
    group: Group = "users"
    """Of the file's people that name none."""
    identity: Path | None = None
    accept_fewer: bool = False
    recipients: tuple[str, ...] = ()


def import_people(targets: Targets, output: Output, wanted: ImportOptions) -> None:
    """Replace the imported groups of the list, and print the counts before and now.

    Raises BadInput when the list would shrink to less than half without
    `accept_fewer`, when nothing usable was found, or when other groups are in the list and no identity opens it.
    """
    files = files_of(targets)
    to = stores.kit_recipients(wanted.recipients, targets.loaded().config, os.environ)
    found = _from_file(wanted.file, wanted.group) if wanted.file else _from_database(targets, output)
    _tell_unusable(found, output)
    if not found.people:
        raise BadInput(
            "There is no usable address. The list of recipients is unchanged.",
            next_action="Write one address on each line, or a CSV with the header address,name,role,group, where the "
            "group is team, stakeholders or users."
            if wanted.file
            else "Check `users_query` in scenarios.yaml.",
        )
    old = _old(files, wanted.identity, output)
    before = old.counts() if old else _counts_alone(files, found.groups)
    if not wanted.accept_fewer:
        _require_enough(before, found)
    source = "file" if wanted.file else "database"
    people = [*(one for one in old.people if one.group not in found.groups), *found.people] if old else found.people
    new = Audience.of(people, source, system_time(), old.key if old else None)
    new = (
        new.with_private(found.private)
        if found.private
        else new.model_copy(update={"private": old.private if old else ()})
    )
    files.write(new, to)
    if before and old is None:
        output.warn("The list has a new key: receipts of earlier notices cannot be compared with it.")
    _show(new.counts(), output, before)


class _AudienceObject(TypedDict):
    stale: bool


def show(targets: Targets, output: Output) -> None:
    """Print the counts by group, the date and the age of the list; needs no key. Raises BadInput without a list."""
    files = files_of(targets)
    header = files.header()
    if header is None:
        raise BadInput(
            f"There is no list of recipients in {files.directory}."
            if not files.present
            else f"The header {files.directory / HEADER} is missing, or it does not belong to the list.",
            next_action=f"While the application works, run: {IMPORT}",
        )
    at = system_time()
    if output.json_lines:
        more: _AudienceObject = {"stale": header.is_stale(at)}
        output.record(Schema.AUDIENCE, {**header.model_dump(mode="json"), **more})
        return
    _show(header.counts, output)
    output.say(f"Imported {moment(header.imported_at)} from the {header.source}, {aged(header.imported_at, at)} ago.")
    warn_stale(header, output, at)


def warn_stale(header: AudienceHeader, output: Output, at: datetime) -> None:
    """Say that the list is old, if it is."""
    if header.is_stale(at):
        output.warn(f"The list of recipients is {aged(header.imported_at, at)} old. Import it again: {IMPORT}")


def add(targets: Targets, output: Output, person: Person, identity: Path | None) -> None:
    """Add or replace one person of the team or the stakeholders; begins a list where there is none."""
    _change(targets, output, person, identity, remove=False)


def remove(targets: Targets, output: Output, person: Person, identity: Path | None) -> None:
    """Remove one person of the team or the stakeholders. Raises BadInput when the list does not have that person."""
    _change(targets, output, person, identity, remove=True)


def restore(targets: Targets, output: Output, wanted: KitChoice) -> None:
    """Put the list of a kit in place of this machine's. Raises BadInput when the kit has none."""
    from uscdr.cleanup import workplace
    from uscdr.kit.reader import KitReader

    files, keys = files_of(targets), _keys(wanted.identity, output)
    store, kit = wanted.find(targets)
    with workplace(state(), runs.new_run_id("kit")) as work:
        reader = KitReader(store, kit, keys, work)
        with reader.open_object(LIST) as sealed:
            data = whole(sealed, _LARGEST_FILE)
    audience, before = opened(data, keys, LIST), files.header()
    files.keep(data, audience)
    _show(audience.counts(), output, before.counts if before else {})
    if (header := files.header()) is not None:
        warn_stale(header, output, system_time())


def person(group: Group, address: str, name: str, role: str) -> Person:
    """One person as the operator names them. Raises BadInput, which does not show the address."""
    try:
        return Person(group=group, address=address, name=name, role=role)
    except ValueError:
        raise BadInput(
            "The address is not a mail address of the form name@example.org, or name or role have control characters.",
            next_action="Correct them.",
        ) from None


def files_of(targets: Targets) -> AudienceFiles:
    """Where the list of this target is; needs no credentials."""
    from uscdr.scenarios.config import SANDBOX

    chosen = targets.name or os.environ.get("USCDR_TARGET")
    return AudienceFiles.of(state(), os.environ, sandbox=chosen == SANDBOX)


def _change(targets: Targets, output: Output, who: Person, identity: Path | None, *, remove: bool) -> None:
    if who.group == "users":
        raise BadInput(
            "Users are imported, not added or removed one by one.",
            why="An address on a command line stays in the shell's history and the process list.",
            next_action=f"Run: {IMPORT}",
        )
    files = files_of(targets)
    to = stores.kit_recipients((), targets.loaded().config, os.environ)
    old = files.read(_keys(identity, output)) if files.present or remove else Audience.of((), "hand", system_time())
    group = [one for one in old.people if one.group == who.group]
    kept = [one for one in group if one.mailbox != who.mailbox]
    if remove and len(kept) == len(group):
        raise BadInput(f"The group {who.group} does not have that address.", next_action="Check the address.")
    new = old.with_groups(kept if remove else [*kept, who], [who.group])
    files.write(new, to)
    _show(new.counts(), output, old.counts())


def _from_file(file: Path, group: Group) -> Gathered:
    try:
        return Gathered.of_text(whole(file, _LARGEST_FILE).decode(), group)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "It is not UTF-8 text."
        raise BadInput(
            f"uscdr cannot read {file}.", why=why or "", next_action="Pass another file: --from FILE"
        ) from None


def _from_database(targets: Targets, output: Output) -> Gathered:
    """Asks in a read-only transaction. Raises ProviderError, and BadInput where the application has no database."""
    target = targets.find()
    heroku = target.services.heroku
    with looking(output, state(), os.environ) as this:
        context = this.on(target, Request("audience"), runs.new_run_id("audience"), dry_run=True)
        with adapters.opened(context) as deps:
            url = deps.platform.config_vars(heroku.app).get(heroku.database)
            if url is None:
                raise BadInput(
                    f"The application has no {heroku.database}.", next_action="Check `heroku.database` of the target."
                )
            output.say("Reading the users' addresses from the application's database.")
            wanted, database = targets.loaded().config.communication.audience, deps.open_database(url)
            addresses = database.texts(wanted.users_query)
            private = tuple(text for query in wanted.private_queries for text in database.texts(query))
    return replace(Gathered.of_addresses(addresses, "users"), private=private)


def _old(files: AudienceFiles, identity: Path | None, output: Output) -> Audience | None:
    """The present list, if an identity was named to open it."""
    named = identity or os.environ.get(stores.IDENTITY)
    return files.read(_keys(identity, output)) if named and files.present else None


def _counts_alone(files: AudienceFiles, replaced: Sequence[Group]) -> Mapping[Group, int]:
    """The counts of a list that stays closed. Raises BadInput when it has people who would be lost."""
    if not files.present:
        return {}
    header = files.header()
    if header is None or any(header.counts.get(group, 0) for group in GROUPS if group not in replaced):
        raise BadInput(
            "The list has, or may have, people in other groups. uscdr cannot keep them without the identity file.",
            next_action=f"Pass the identity: {IMPORT} --identity FILE",
        )
    return header.counts


def _require_enough(before: Mapping[Group, int], found: Gathered) -> None:
    """Raises BadInput when a group would have less than half of its people: a broken source must not empty the list."""
    for group in found.groups:
        number = Audience.of(found.people, "", system_time()).counts()[group]
        if 2 * number < before.get(group, 0):
            raise BadInput(
                f"The group {group} would shrink from {before[group]:,} to {number:,}. The list is unchanged.",
                why="A list that is less than half as long may come from a damaged or wrong source.",
                next_action=f"If it is right: {IMPORT} --accept-fewer",
            )


def _tell_unusable(found: Gathered, output: Output) -> None:
    if found.unusable:
        lines = [str(line) for line in found.lines]
        where = f" ({'line' if len(lines) == 1 else 'lines'} {first_of(lines, _SHOWN_LINES)})" if lines else ""
        output.warn(f"uscdr left out {plural(found.unusable, 'entry', 'entries')} without a usable address{where}.")


def _keys(identity: Path | None, output: Output) -> tuple[Identity, ...]:
    path = identity_file(identity, os.environ)
    warn_exposed(output, path)
    return Identity.read(path)


class _GroupObject(TypedDict):
    group: Group
    people: NotRequired[int]
    before: NotRequired[int]
    now: NotRequired[int]


def _show(counts: Mapping[Group, int], output: Output, before: Mapping[Group, int] | None = None) -> None:
    if before is None:
        rows: list[_GroupObject] = [{"group": group, "people": counts.get(group, 0)} for group in GROUPS]
    else:
        rows = [{"group": one, "before": before.get(one, 0), "now": counts.get(one, 0)} for one in GROUPS]
    show_table(Schema.AUDIENCE_GROUP, rows, output)
