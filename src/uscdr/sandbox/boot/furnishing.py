"""What a real place has besides its application, and what a recovery meets there: by default the clinic has it, too.

- In every database: the platform's schema with its event triggers, and a UTF-8 locale (see `data/provided.py`).
- A second database: a backup of it is none of the clinic's, and a rebuilt place lacks it unless somebody says so.
- Another application that uses the clinic's database: a restore overwrites its rows, too, and does not stop it.
- A table in a schema of its own: a name without its schema does not find it.
- A time after the year 9999, as a form with five digits takes it: Python cannot hold it.
- A private and an authenticated file that rows refer to: listing uploads alone does not show them.

`uscdr sandbox up --plain` leaves all of it out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, LiteralString

import psycopg
from psycopg import sql

from uscdr.errors import MachineError
from uscdr.sandbox.media import clinic
from uscdr.sandbox.media.accounts import CLOUDS
from uscdr.sandbox.platform import addons, apps
from uscdr.sandbox.platform.plans import choose

if TYPE_CHECKING:
    from uscdr.sandbox.core import Core
    from uscdr.sandbox.world.apps import App
    from uscdr.sandbox.world.entities import Addon, Database

SECOND: Final = "WAREHOUSE"
"""The second database's attachment."""
NEIGHBOUR: Final = "usc-statistics"
"""The other application."""
_NEIGHBOURS_NAME = "CLINIC"
_BEYOND = "12026-11-28 09:00+00"
_WAREHOUSE: LiteralString = """
CREATE TABLE visits_by_month (month date PRIMARY KEY, visits integer NOT NULL);
INSERT INTO visits_by_month
    SELECT month::date, 40 + extract(month FROM month)::integer
    FROM generate_series('2025-01-01'::date, '2025-12-01'::date, '1 month') AS month;
"""
_ARCHIVE: LiteralString = """
CREATE SCHEMA archive;
CREATE TABLE archive.referral (id integer PRIMARY KEY, reference text NOT NULL, due_at timestamptz);
INSERT INTO archive.referral
    SELECT id, 'R-' || id, '2025-01-01 09:00+00'::timestamptz + id * interval '1 day' FROM generate_series(1, 20) AS id;
UPDATE archive.referral SET due_at = {beyond} WHERE id = 20;
UPDATE public.patients_dentalrecord SET documents = documents || {links}
    WHERE id = (SELECT min(id) FROM public.patients_dentalrecord);
"""


@dataclass(frozen=True)
class Restricted:
    """A file that not everybody may have, by the delivery type of the media service."""

    delivery: str
    public_id: str

    @property
    def link(self) -> str:
        """As the row has it: the address without a signature, which is made for each reader."""
        return f"https://res.cloudinary.com/{CLOUDS[0]}/raw/{self.delivery}/v1/{self.public_id}"


FILES: Final = (
    Restricted("private", "dental/restricted/referral_letter.pdf"),
    Restricted("authenticated", "dental/restricted/consent_form.pdf"),
)


async def surround(core: Core, app: App) -> None:
    """Add the second database, and the other application with the clinic's database attached."""
    first = _database_of(core, app)
    second = await addons.order(core, app, choose("heroku-postgresql:essential-0"), alias=SECOND)
    addons.deliver(core, second)
    await asyncio.to_thread(_run, core, _owned(second), sql.SQL(_WAREHOUSE))
    neighbour = await apps.open_app(core, NEIGHBOUR)
    addons.attach(core, neighbour, first, alias=_NEIGHBOURS_NAME)


async def add_rows(core: Core, app: App) -> None:
    """Add the table in another schema, the time beyond what can be, and the rows that name restricted files."""
    links = sql.SQL("jsonb_build_array({})").format(sql.SQL(", ").join(sql.Literal(one.link) for one in FILES))
    statements = sql.SQL(_ARCHIVE).format(beyond=sql.Literal(_BEYOND), links=links)
    await asyncio.to_thread(_run, core, _owned(_database_of(core, app)), statements)


async def store_files(core: Core) -> None:
    """Put the restricted files into the media service."""
    files = [clinic.Stored(one.public_id, delivery=one.delivery) for one in FILES]
    await asyncio.to_thread(clinic.seed, core.media.library.root, CLOUDS[0], files)


def _run(core: Core, database: Database, statements: sql.SQL | sql.Composed) -> None:
    """As the database's own role, to which all of it belongs."""
    with psycopg.connect(core.cluster.url(database)) as connection:
        connection.execute(statements)


def _database_of(core: Core, app: App) -> Addon:
    owned = {one.addon_id for one in core.world.attachments_of(app) if one.name == "DATABASE"}
    return next(one for one in core.world.addons if one.id in owned)


def _owned(addon: Addon) -> Database:
    if addon.database is None:
        raise MachineError(f"{addon.name} is no database.")
    return addon.database
