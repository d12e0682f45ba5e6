"""How far a list of pages is followed: to its end, or to where it shows that it has none."""

from __future__ import annotations

import time

LIST_SECONDS = 300.0
ALIKE = 3
"""So many pages in a row that say the same are no list."""


class Pages:
    """One list's pages: at most `most`, in `LIST_SECONDS`, none named twice, few in a row alike."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._end = time.monotonic() + LIST_SECONDS
        self._named: set[str] = set()
        self._last: object = None
        self._alike = 0

    def go_on(self, following: str, page: object) -> bool:
        """Whether the page that is called `following` may be asked for, after `page` came."""
        self._alike = self._alike + 1 if page == self._last else 0
        if (
            following in self._named
            or self._alike >= ALIKE
            or len(self._named) >= self._most
            or time.monotonic() > self._end
        ):
            return False
        self._named.add(following)
        self._last = page
        return True
