"""What a Jellyfin or an Emby holds: libraries, titles, users, and what each user did with each title.

Pure state without HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from simulators.mediabrowserdeeds import Deeds
from simulators.mediabrowsertitles import (
    BORN,
    BOXSET,
    EPISODE,
    LEAVES,
    MOVIE,
    PASSWORD,
    PLAYLIST,
    SEASON,
    SECOND,
    SERIES,
    Library,
    State,
    Title,
    User,
    dated,
    hexed,
    ticks,
)

__all__ = [
    "BORN",
    "BOXSET",
    "EPISODE",
    "LEAVES",
    "MOVIE",
    "PASSWORD",
    "PLAYLIST",
    "SEASON",
    "SECOND",
    "SERIES",
    "Library",
    "State",
    "Title",
    "User",
    "World",
    "dated",
    "hexed",
    "ticks",
]


class World(Deeds):
    """Everything behind the simulated address. `now` is the server's clock in seconds.

    With `decimal` ids are those of an Emby. After a change of a list `lag_lists` looks at it show what was there
    before. For what users did see `Deeds`.
    """

    def __init__(self, now: Callable[[], float] = time.time, *, decimal: bool = False) -> None:
        super().__init__(now, SECOND if decimal else 1)
        self.decimal = decimal
        self.server_id = hexed("server", decimal)
        self.libraries: dict[str, Library] = {}
        self.titles: dict[str, Title] = {}
        self._next = 240_000
        self.lag_lists = 0
        self._late: dict[str, tuple[list[tuple[str, Title]], int]] = {}
        self.shelf_of_lists = Library(hexed("lists"), "Lists", "lists")
        self.owner = self.add_user("Owner", admin=True, password=PASSWORD)

    def _id(self, *parts: object) -> str:
        self._next += 1
        self.version += 1
        return str(self._next) if self.decimal else hexed(self._next, *parts)

    def add_user(self, name: str, *, admin: bool = False, password: str = "", lockout: int = -1) -> User:
        """A user who sees every library."""
        user = User(hexed("user", name, len(self.users)), name, password, admin, lockout=lockout)
        self.users[user.id] = user
        return user

    def remove_user(self, user: User) -> None:
        """Delete a user, with all they did."""
        del self.users[user.id]
        self.version += 1

    def add_library(self, name: str, kind: str = "movies") -> Library:
        """A library of films (``movies``) or series (``tvshows``)."""
        made = Library(self._id("library", name), name, kind)
        self.libraries[made.id] = made
        return made

    def add(
        self,
        library: Library,
        kind: str,
        name: str,
        ids: dict[str, str] | None = None,
        *,
        parent: Title | None = None,
        **more: object,
    ) -> Title:
        """A row of a library, by the fields of `Title`; two calls with the same make two copies."""
        key = self._id(kind, name)
        order = len(self.titles)
        fields = {"created": BORN + order, "saved": BORN + order, **more}
        row = Title(key, kind, library, name, dict(ids or {}), parent=parent, **fields)  # type: ignore[arg-type]
        self.titles[key] = row
        if parent is not None:
            parent.children.append(row)
        return row

    def series(self, library: Library, name: str, ids: dict[str, str] | None = None, **more: object) -> Title:
        """A series without seasons."""
        return self.add(library, SERIES, name, ids, **more)  # type: ignore[arg-type]

    def episode(
        self, series: Title, season: int, number: int | None, ids: dict[str, str] | None = None, **more: object
    ) -> Title:
        """An episode of a series, in a season that is made when there is none."""
        above = next((one for one in series.children if one.index == season), None)
        if above is None:
            name = f"Season {season}" if season else "Specials"
            above = self.add(series.library, SEASON, name, parent=series, index=season)
        name = str(more.pop("name", f"Episode {number}"))
        return self.add(series.library, EPISODE, name, ids, parent=above, index=number, **more)

    def put_in(self, box: Title, *rows: Title) -> None:
        """Put titles into a set or a playlist, at its end."""
        self._late[box.id] = (list(box.entries), self.lag_lists)
        for row in rows:
            row.box = row.box or (box if box.kind == BOXSET else None)
            self._next += 1
            box.entries.append((str(self._next), row))
        self.version += 1

    def take_out(self, box: Title, *rows: Title) -> None:
        """Take titles out of a set or a playlist."""
        self._late[box.id] = (list(box.entries), self.lag_lists)
        for row in rows:
            row.box = None if row.box is box else row.box
        box.entries[:] = [one for one in box.entries if one[1] not in rows]
        self.version += 1

    def add_list(self, kind: str, name: str, *rows: Title, owner: User | None = None) -> Title:
        """A set, or a playlist of the user `owner` (None: of nobody, and everybody sees it), with titles in it."""
        made = self.add(self.shelf_of_lists, kind, name)
        made.owner = owner
        self.put_in(made, *rows)
        return made

    def inside(self, box: Title) -> list[tuple[str, Title]]:
        """What a look at a set or a playlist shows, each with its number: a few times what was there before."""
        shown, looks = self._late.get(box.id, ([], 0))
        if looks <= 0:
            return list(box.entries)
        self._late[box.id] = (shown, looks - 1)
        return [one for one in shown if one[1].id in self.titles]

    def remove(self, row: Title) -> None:
        """Take a row, and all below it, out of its library."""
        for child in list(row.children):
            self.remove(child)
        del self.titles[row.id]
        for box in self.titles.values():
            box.entries[:] = [one for one in box.entries if one[1] is not row]
        if row.parent is not None:
            row.parent.children.remove(row)
        self.version += 1

    def renew(self, row: Title, *, keep: bool = True) -> Title:
        """Have a row be found anew by a scan: the same under another id. With `keep` what users did comes along.

        Gives that row, which is the same object; its old id is stale.
        """
        old = row.id
        del self.titles[old]
        row.id = self._id("again", row.name)
        self.titles[row.id] = row
        for user in self.users.values():
            state = user.cached.pop(old, None) or user.states.pop(old, None)
            if keep and state is not None:
                user.states[row.id] = state
        return row
