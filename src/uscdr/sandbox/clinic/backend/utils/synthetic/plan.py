"""How many rows, under which keys, at which times: fixed before the first row is made."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max


@dataclass(frozen=True)
class Plan:
    """One generation; equal plans make equal rows."""

    patients: int
    seed: int
    now: datetime
    span: timedelta
    first_user: int
    first_patient: int
    first_record: int
    staff: tuple[int, ...]
    walk_ins: int

    def rng(self, subject):
        """Return a generator of its own for each table, so that one table's change leaves the others alone."""
        return random.Random(f"{self.seed}:{subject}")  # noqa: S311 - reproducible data, not secrets

    def arrival(self, index):
        """Return when patient `index` was registered: denser towards now, the last one just now."""
        share = (self.patients - 1 - index) / self.patients
        return self.now - self.span * (share * share)


def next_key(model):
    """Return the first key above those in use."""
    return (model.objects.aggregate(top=Max("pk"))["top"] or 0) + 1
