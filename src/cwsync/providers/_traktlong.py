"""A long history of Trakt: by its titles where its plays are known from before, else play by play.

By titles it takes a quarter of the requests, or less: the newest play of each film and each episode, and how many
there are. But an episode is then named by its show and its numbers alone, and others number otherwise. So this
way is only taken for plays whose episodes were read with their ids before, or are among the newest of all, or are
read now, show by show.

Source: https://github.com/trakt/trakt-api (issues 835, 792) (checked 2026-11-21).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from cwsync.model import Entry, Feature, Item, Kind, Play
from cwsync.providers._traktpages import AT_ONCE, LIMIT, Found, Pages
from cwsync.providers._traktplays import Known, KnownPlays, by_title, millis
from cwsync.providers._traktwire import Decoder, RowError, Told, played_at, trakt_id

PROGRESS_LIMIT: Final = 100
# A history of more pages than this is read title by title, once its episodes are known.
LONG_HISTORY: Final = 3
_EPISODES: Final = {"extended": "progress", "specials": "true"}


class LongHistory:
    """Reads a history by its titles. `plays` are those that are known from before."""

    def __init__(self, pages: Pages, decoder: Decoder, plays: KnownPlays) -> None:
        self._pages = pages
        self._decoder = decoder
        self.plays = plays
        self._is_long = False

    async def read(
        self, account_id: str, newest: list[Entry], n_plays: int, n_pages: int
    ) -> tuple[Found[Told], list[Entry]] | None:
        """Rows of plays, and entries of those that were found by their titles. `newest` is the first page of plays.

        None when the titles do not account for every play, or when it would take no less: then the plays have to be
        read one by one.
        """
        self._is_long = n_pages > LONG_HISTORY
        if not self._is_long or not self.plays.load(account_id):
            return None
        films, shows = await self._titles()
        entries: list[Entry] = []
        more: list[tuple[str, int]] = []
        counted = 0
        fresh = by_title(newest)
        for _, title in (*films.rows, *shows.rows):
            if title is None:
                return None
            counted += title.n_plays
            found = title.entries(self.plays, fresh)
            if found is None:
                more.append((title.path, title.n_plays))
            else:
                entries += found
        cost = sum(-(-plays // LIMIT) for _, plays in more)
        if counted != n_plays or films.doubts or shows.doubts or cost >= n_pages - 1:
            return None
        found_rows = Found[Told](pages=films.pages + shows.pages, total=n_plays)
        for part in await self._plays_of([path for path, _ in more]):
            found_rows.rows += part.rows
            found_rows.pages += part.pages
            found_rows.doubts += part.doubts
        if len(found_rows.rows) != sum(plays for _, plays in more):
            return None
        return found_rows, entries

    def learn(self, account_id: str, entries: list[Entry], found: Found[Told]) -> None:
        """Remember the plays of a history that was read completely, where it is a long one."""
        if self._is_long:
            self.plays.learn(account_id, entries, whole=len(found.rows) == found.total)

    async def _titles(self) -> list[Found[_Title | None]]:
        from cwsync.http import together

        pages, history = self._pages, Feature.HISTORY
        film, show = (partial(_Title.of, self._decoder, kind) for kind in (Kind.MOVIE, Kind.SHOW))
        return await together(
            [
                lambda: pages.rows(history, "/sync/watched/movies", {}, film),
                lambda: pages.rows(history, "/sync/watched/shows", _EPISODES, show, limit=PROGRESS_LIMIT),
            ],
            at_once=2,
        )

    async def _plays_of(self, paths: Iterable[str]) -> list[Found[Told]]:
        from cwsync.http import together

        read = partial(self._decoder.told, Feature.HISTORY)

        def one(path: str) -> Callable[[], Any]:
            return lambda: self._pages.rows(Feature.HISTORY, path, {}, read)

        return await together([one(path) for path in paths], at_once=AT_ONCE)


@dataclass(frozen=True, slots=True)
class _Title:
    """One row of what was watched. `parts` are its film, or its episodes by season and number, each played once.

    None for `parts`: some were played several times. `path` is where its plays are.
    """

    item: Item
    number: str
    n_plays: int
    parts: dict[tuple[int | None, int | None, int | None], Play] | None

    @staticmethod
    def of(decoder: Decoder, kind: Kind, row: Any) -> _Title | None:
        """Read a row; None for one that has another shape than expected."""
        if not isinstance(row, dict) or type(row.get("plays")) is not int:
            return None
        try:
            item = decoder.item({**row, "type": kind.value})
            told = [((None, None), row)] if kind is Kind.MOVIE else _episodes(row)
            plays = [(place, Play(played_at(part["last_watched_at"]))) for place, part in told]
            n_plays = sum(int(part["plays"]) for _, part in told)
        except (RowError, KeyError, TypeError, ValueError):
            return None
        number = trakt_id(item.ids)
        if number is None:
            return None
        once = all(part["plays"] == 1 for _, part in told) and row.get("reset_at") is None
        parts = {(*place, millis(play.at)): play for place, play in plays}
        return _Title(item, number, n_plays, parts if once and len(parts) == len(plays) else None)

    @property
    def path(self) -> str:
        """Where its plays are."""
        return f"/sync/history/{'movies' if self.item.kind is Kind.MOVIE else 'shows'}/{self.number}"

    def entries(self, plays: KnownPlays, fresh: dict[str, list[Known]]) -> list[Entry] | None:
        """Its plays, with the ids of each and Trakt's number of it; None where these have to be asked for."""
        if self.parts is None:
            return None
        known = plays.plays_of(f"{self.item.kind.value} {self.number}", set(self.parts), fresh)
        if known is not None:
            return [Entry(self._part(one), self.parts[one.row], one.native) for one in known]
        # A film is named by its own ids in every form.
        return [Entry(self.item, play) for play in self.parts.values()] if self.item.kind is Kind.MOVIE else None

    def _part(self, play: Known) -> Item:
        show = self.item
        if show.kind is Kind.MOVIE:
            return show
        return replace(
            show,
            kind=Kind.EPISODE,
            ids=play.ids,
            title=play.title,
            year=None,
            show_ids=show.ids,
            season=play.season,
            number=play.number,
            show_title=show.title,
            show_year=show.year,
        )


def _episodes(row: dict[str, Any]) -> list[tuple[tuple[int, int], Any]]:
    """The episodes of a show, by season and number. Raises `RowError` for one without, ``KeyError``, ``TypeError``."""
    found = [
        ((season["number"], episode["number"]), episode) for season in row["seasons"] for episode in season["episodes"]
    ]
    if not all(type(number) is int for place, _ in found for number in place):
        raise RowError("an episode has no number")
    return found
