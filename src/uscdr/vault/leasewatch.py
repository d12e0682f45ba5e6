"""How long a lease stands unchanged, as one process sees it by its own clock. No other clock decides who is gone."""

from __future__ import annotations

from uscdr.vault.leaserow import Row, Standing, is_ended


class Watch:
    """One process's look at a row, again and again."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._seen: Standing | None = None
        self._since = 0.0
        self.seconds = 0.0
        """For how long what was seen last is known to stand unchanged."""
        self.changed = False
        """Whether somebody renewed it or took it since the first look."""

    def look(self) -> Standing | None:
        """The record that counts now."""
        began = self._row.terms.clock()
        highest = self._row.highest()
        if self._seen is None or _mark(highest) != _mark(self._seen):
            self.changed = self.changed or self._seen is not None
            self._seen, self._since, self.seconds = highest, self._row.terms.clock(), 0.0
        else:
            self.seconds = max(0.0, began - self._since)
        return highest

    def is_over(self, highest: Standing | None) -> bool:
        """Whether it was ended, or its holder is surely past acting."""
        return highest is None or is_ended(highest) or self.seconds > self._row.lasts(highest)


def _mark(standing: Standing | None) -> tuple[int, str] | None:
    """What a renewal or another holder would change."""
    if standing is None:
        return None
    return standing.number, standing.record.nonce if standing.record else ""
