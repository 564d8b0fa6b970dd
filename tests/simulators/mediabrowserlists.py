"""Listings of a simulated Jellyfin or Emby: pages of rows, cut from what a query finds."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from simulators.mediabrowserlogin import Token
from simulators.mediabrowserpick import collapsed, ordered, select
from simulators.mediabrowserrows import Dialect, Look, Query, RefusedError, Row, Texts, as_json, row_of, view_of
from simulators.mediabrowserworld import BOXSET, Title, User, World
from support.httpserver import Reply, Request, Server


class Listings(Server):
    """Knobs of listings:

    `group_collections`: films in a set are listed as the set, where nothing is said about it. `hidden`: ids
    of rows that are taken out of a page after it was cut, so that pages are short; they count in the total
    unless `hidden_counted` is False. `shift`: called after each page of a listing, to change something
    between two pages. `caching`: pages are kept while nothing changes, but for what is changed past `World`.
    """

    dialect: Dialect
    collapse_name = "collapseboxsetitems"

    def __init__(self, world: World, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.world = world
        self.group_collections = False
        self.hidden: set[str] = set()
        self.hidden_counted = True
        self.shift: Callable[[], None] | None = None
        self.caching = False
        self._pages: dict[tuple[str, ...], tuple[int, Reply]] = {}
        self._texts = Texts()
        self._found: dict[tuple[str, ...], tuple[int, list[Title], Look]] = {}

    def told(self, body: Any) -> Reply:
        """An answer: a whole one as it is, none as nothing, anything else as JSON."""
        if isinstance(body, Reply):
            return body
        if body is None:
            # Where Jellyfin says that there is nothing to say, Emby says nothing.
            return Reply(b"", 200 if self.dialect.emby else 204, {"Content-Type": "text/plain"})
        return Reply(as_json(body).encode(), 200, _JSON)

    # --- who is meant ---------------------------------------------------------------------------

    def query(self, request: Request) -> Query:
        """The parameters of a request."""
        return Query({name.lower(): text for name, text in request.query.items()})

    def user(self, token: Token, asked: str | None) -> User | None:
        """The user whose rows are meant: the one asked for, or the one whose token it is; None for a key alone."""
        if not asked:
            return token.user
        user = self.world.users.get(asked.replace("-", "").lower())
        if token.user is not None and user is not token.user and not token.user.admin:
            raise RefusedError(403, None)
        if user is None:
            raise RefusedError(404, "User not found")
        return user

    def row(self, user: User | None, key: str) -> Title:
        """A row that the user may see."""
        row = self.world.titles.get(key.replace("-", "").lower() if not self.dialect.emby else key)
        if row is None or (user is not None and not user.sees(row)):
            raise self.gone()
        return row

    def gone(self) -> RefusedError:
        """What comes for a row that is not there."""
        return RefusedError(404)

    def look(self, user: User | None, query: Query, **more: Any) -> Look:
        """How a listing looks at rows."""
        fields = frozenset(word.lower() for word in query.words("fields"))
        user_data = query.flag("enableuserdata", True) is not False
        return Look(self.world, self.dialect, user, fields, user_data=user_data, **more)

    # --- listings -------------------------------------------------------------------------------

    def views(self, user: User | None) -> Row:
        """The libraries of a user."""
        if user is None:
            raise nobody()
        found = [one for one in self.world.libraries.values() if user.libraries is None or one.id in user.libraries]
        rows = [view_of(self.world, self.dialect, one) for one in found]
        return self.listing(rows, len(rows), 0)

    def listing(self, rows: list[Row], total: int, start: int) -> Row:
        """A page as it is answered."""
        raise NotImplementedError

    def items(self, request: Request, user: User | None, **more: str) -> Any:
        """A page of a listing; `more` are parameters that the path stands for."""
        query = Query({**self.query(request).values, **more})
        if (query.number("startindex") or 0) == 0:
            self.world.begin_read()
        name = (user.id if user else "", urlsplit(request.target).query, *more.values(), _zipped(request))
        kept = self._pages.get(name)
        if self.caching and kept is not None and kept[0] == self.world.version:
            return kept[1]
        version = self.world.version
        page = self._page(query, user)
        if self.caching:
            if _zipped(request):
                page = replace(page, body=gzip.compress(page.body, 1), headers=_JSON | {"Content-Encoding": "gzip"})
            self._pages[name] = (version, page)
        if self.shift is not None:
            self.shift()
        return page

    def _page(self, query: Query, user: User | None) -> Reply:
        start, limit = query.number("startindex") or 0, query.number("limit")
        if start < 0 or (limit is not None and limit < 0):
            start, limit = max(start, 0), None if limit is not None and limit < 0 else limit
        found, look = self._matching(query, user)
        total = len(found) if self.hidden_counted else sum(row.id not in self.hidden for row in found)
        part = found[start:] if limit is None else found[start : start + limit]
        shown = [row for row in part if row.id not in self.hidden]
        if query.flag("enabletotalrecordcount", True) is False:
            total = self.uncounted(len(shown))
        if not self.caching:
            return self.told(self.listing([row_of(look, row) for row in shown], total, start))
        frame = as_json(self.listing([], total, start))
        text = frame.replace("[]", f"[{','.join(self._texts.row(look, row) for row in shown)}]", 1)
        return Reply(text.encode(), 200, _JSON)

    def uncounted(self, shown: int) -> int:
        """The total that is told when none was asked for, of a page with so many rows."""
        return shown

    def _matching(self, query: Query, user: User | None) -> tuple[list[Title], Look]:
        """Every row that a query finds, in order; kept for the next page while nothing changes."""
        paging = ("startindex", "limit")
        name = (user.id if user else "", *(f"{key}={text}" for key, text in query.values.items() if key not in paging))
        kept = self._found.get(name)
        if self.caching and kept is not None and kept[0] == self.world.version:
            return kept[1], kept[2]
        look = self.look(user, query)
        found = select(look, self._candidates(query, user), query)
        if self._collapses(query, user):
            found = collapsed(found)
        found = ordered(look, found, query)
        if self.caching:
            self._found[name] = (self.world.version, found, look)
        return found, look

    def _collapses(self, query: Query, user: User | None) -> bool:
        """Whether films are listed as their sets: as asked, else as the server is set; never under a filter."""
        above = self.world.titles.get((query.text("parentid") or "").replace("-", "").lower())
        if (above is not None and above.kind == BOXSET) or any(query.text(name) for name in _PRECISE):
            return False
        asked = query.flag(self.collapse_name)
        if asked is not None:
            return asked
        kinds = {word.lower() for word in query.words("includeitemtypes")}
        grouping = self.group_collections or (user is None and not self.dialect.emby)
        return grouping and (not kinds or "movie" in kinds)

    def _candidates(self, query: Query, user: User | None) -> list[Title]:
        world = self.world
        if ids := query.words("ids"):
            names = [key if self.dialect.emby else key.replace("-", "").lower() for key in ids]
            found = [world.titles[name] for name in names if name in world.titles]
        else:
            found = self._below(query, user)
        return [row for row in found if user is None or user.sees(row)]

    def _below(self, query: Query, user: User | None) -> list[Title]:
        world, deep = self.world, query.flag("recursive", False)
        parent = query.text("parentid")
        if parent is None:
            return list(world.titles.values()) if deep else []
        parent = parent if self.dialect.emby else parent.replace("-", "").lower()
        if parent in world.libraries:
            if user is not None and user.libraries is not None and parent not in user.libraries:
                raise RefusedError(401, f"{user.name} is not permitted to access Library.")
            inside = [row for row in world.titles.values() if row.library.id == parent]
            return inside if deep else [row for row in inside if row.parent is None]
        above = world.titles.get(parent)
        if above is None:
            raise self.gone() if self.dialect.emby else RefusedError(400, f"Invalid parent id: {parent}")
        if user is not None and not user.sees(above):
            raise RefusedError(401, f"{user.name} is not permitted to access Library {above.name}.")
        if above.kind == BOXSET:
            return [row for _, row in world.inside(above)]
        return [row for row in world.titles.values() if _is_in(row, above)] if deep else list(above.children)


def nobody() -> RefusedError:
    """What comes where a user is needed, and a key names none."""
    return RefusedError(400, "Guid can't be empty (Parameter 'id')")


def _is_in(row: Title, above: Title) -> bool:
    parent = row.parent
    while parent is not None:
        if parent is above:
            return True
        parent = parent.parent
    return False


def _zipped(request: Request) -> str:
    return "gzip" if "gzip" in request.headers.get("accept-encoding", "") else ""


# Parameters that keep sets from standing for films.
_PRECISE = ("filters", "isplayed", "isfavorite", "ids", "hasimdbid", "hastmdbid", "searchterm")
_JSON = {"Content-Type": "application/json; charset=utf-8"}
