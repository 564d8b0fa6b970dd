"""Looking titles of AniList up, many at once, each with the user's entry of it, in a list or not.

Source: https://docs.anilist.co (complexity 500, fifty rows a page, aliases) (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cwsync.errors import UnavailableError
from cwsync.providers._anilistcalls import Calls, TooComplexError
from cwsync.providers._anilistwire import lookup, titles_of

TITLES: Final = 500  # in one request
_PAGE: Final = 45  # less than the 50 of a page: two titles with one number of MyAnimeList must not push one out


class Look:
    """Looks things up for one account. What AniList gives at once is learnt, and kept to."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._n_titles = TITLES

    async def titles(self, own: Sequence[int], mal: Sequence[int] = ()) -> list[Mapping[str, Any]]:
        """The titles with these numbers of AniList and of MyAnimeList, as they come; none for those it does not know.

        Raises `AuthError`, `UnavailableError`.
        """
        found: list[Mapping[str, Any]] = []
        queue = _parts(own, mal, self._n_titles)
        while queue:
            part = queue.pop(0)
            query, variables = lookup(*part, size=_PAGE)
            try:
                said = await self._calls.ask(query, variables)
            except TooComplexError:
                self._n_titles = (len(part[0]) + len(part[1])) // 2
                if not self._n_titles:
                    raise
                queue[:0] = _parts(*part, self._n_titles)
                continue
            try:
                found += titles_of(said.data or {})
            except ValueError as error:
                message = f"the answer of AniList makes no sense: {error}"
                raise UnavailableError(message, where=self._calls.address.account, hint="try again later") from error
        return found


def _parts(own: Sequence[int], mal: Sequence[int], size: int) -> list[tuple[list[int], list[int]]]:
    """Two lists of numbers, cut into parts of so many together."""
    every: list[tuple[bool, int]] = [*((True, one) for one in own), *((False, one) for one in mal)]
    cut = [every[at : at + size] for at in range(0, len(every), size)]
    return [([n for mine, n in part if mine], [n for mine, n in part if not mine]) for part in cut]
