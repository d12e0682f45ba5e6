"""The faults."""

from __future__ import annotations

from tools.mutate.lists import backups, engine, journal, outside, team

MUTANTS = (*engine.ALL, *journal.ALL, *team.ALL, *outside.ALL, *backups.ALL)
