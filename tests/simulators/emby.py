"""A simulated Emby, strict as the version it plays.

    with Emby(version="4.9.0.41") as server:
        shows = server.world.add_library("Shows", "tvshows")
        lost = server.world.series(shows, "Lost", {"Tvdb": "73739"})
        ... server.url, server.key, server.token(), server.world.owner

Emby is closed: what is not in its OpenAPI document is played as clients report it, and is a knob where they differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from simulators.mediabrowser import STALE, MediaBrowser
from simulators.mediabrowserlogin import Doors, Token
from simulators.mediabrowserrows import Dialect, Look, Query, RefusedError, Row, row_of, user_data
from simulators.mediabrowserworld import State, Title, User, World, ticks
from support.httpserver import Reply, Request

VERSIONS = ("4.8.11.0", "4.9.0.41")
NEWEST = "4.9.0.41"
_DATE = re.compile(r"\d{14}")


class Emby(MediaBrowser):
    """A server of one of `VERSIONS`, or one that says it is another. See `MediaBrowser` for the knobs.

    `merges`: a write of user data changes only what it names, as older servers are reported to do; else what
    it does not name falls to nothing. `keeps_newer`: an older date of a play does not replace a newer one.
    `keeps_ratings`: whether a number that is written as rating stays. `says_virtual`: whether an episode
    without a file says so; else it has no path, and that is all.
    """

    collapse_name = "groupitemsintocollections"

    def __init__(
        self,
        world: World | None = None,
        *,
        version: str = NEWEST,
        base: str = "",
        port: int = 0,
        now: Callable[[], float] | None = None,
        says_virtual: bool = True,
    ) -> None:
        world = world or (World(now, decimal=True) if now else World(decimal=True))
        number = tuple(int(part) for part in version.split("."))
        self.dialect = Dialect(emby=True, version=number, typed=False, says_virtual=says_virtual)
        self.merges = False
        self.keeps_newer = False
        self.keeps_ratings = True
        super().__init__(world, Doors(world, emby=True, legacy=True), version, base=base, port=port)

    def prefixes(self) -> tuple[str, ...]:
        return "/emby", "/mediabrowser"

    def gone(self) -> RefusedError:
        return RefusedError(500, STALE)

    def refusal(self, refused: RefusedError) -> Reply:
        """Text, with the message of the exception."""
        text = refused.text or _TEXTS.get(refused.status, "")
        if text.startswith("binding:"):
            text = "Input string was not in a correct format."
        return Reply(text.encode(), refused.status, {"Content-Type": "text/plain"})

    # --- what it answers ------------------------------------------------------------------------

    def routes_of_dialect(self) -> None:
        self.open("GET", "/System/Ping", lambda _request: Reply(b"Emby Server", 200, {"Content-Type": "text/plain"}))
        self.serve("GET", "/Users/Query", lambda _request, _token: self._queried_users(), admin=True)
        self.serve("GET", "/Library/VirtualFolders/Query", lambda _request, _token: self._folders(), admin=True)
        self.serve("GET", "/Users/{user}/Views", lambda request, token: self.views(self._user_of(request, token)))
        self.serve("GET", "/Items", lambda request, token: self._listed(request, self._asked(request, token)))
        for path in ("/Users/{user}/Items", "/Users/{user}/Items/Resume"):
            self.serve("GET", path, lambda request, token: self._listed(request, self._user_of(request, token)))
        self.serve("GET", "/Users/{user}/Items/{item}", self._item)
        self.serve("POST", "/Users/{user}/Items/{item}/UserData", self._replace_data)
        for name, on, off in (
            ("PlayedItems/{item}", self._played, self._unplayed),
            ("FavoriteItems/{item}", self._favourite, self._no_favourite),
            ("Items/{item}/Rating", self._like, self._unrate),
        ):
            self.serve("POST", f"/Users/{{user}}/{name}", self._marking(on))
            self.serve("DELETE", f"/Users/{{user}}/{name}", self._marking(off))
            self.serve("POST", f"/Users/{{user}}/{name}/Delete", self._marking(off))
        self.serve("POST", "/Users/{user}/Items/{item}/HideFromResume", self._marking(lambda *_: None))
        self.serve("POST", "/Users/{user}/PlayingItems/{item}/Progress", self._progress)

    def _asked(self, request: Request, token: Token) -> User | None:
        return self.user(token, self.query(request).text("userid"))

    def _user_of(self, request: Request, token: Token) -> User:
        user = self.user(token, request.args["user"])
        assert user is not None, "the path names one"
        return user

    def _queried_users(self) -> Row:
        rows = [self.user_row(one) for one in self.users()]
        return {"Items": rows, "TotalRecordCount": len(rows)}

    def _folders(self) -> Row:
        rows = self.folders()
        return {"Items": rows, "TotalRecordCount": len(rows)}

    def public_info(self) -> Row:
        return {
            "LocalAddress": self.root,
            "LocalAddresses": [self.root],
            "RemoteAddresses": [],
            "ServerName": self.name,
            "Version": self.version,
            "Id": self.world.server_id,
        }

    def login_body(self, request: Request) -> dict[str, Any]:
        if "form-urlencoded" in request.headers.get("content-type", ""):
            return {name.lower(): value for name, value in request.form.items()}
        return self.body(request)

    def listing(self, rows: list[Row], total: int, start: int) -> Row:
        return {"Items": rows, "TotalRecordCount": total}

    def uncounted(self, shown: int) -> int:
        return 0

    # --- reads ----------------------------------------------------------------------------------

    def _listed(self, request: Request, user: User | None) -> Any:
        query = self.query(request)
        if request.path.lower().endswith("/resume"):
            return self.items(request, user, filters="IsResumable", recursive="true")
        if not (query.flag("recursive", False) or query.text("parentid") or query.words("ids")):
            return self.views(user)
        return self.items(request, user)

    def _item(self, request: Request, token: Token) -> Row:
        user = self._user_of(request, token)
        look = self.look(user, self.query(request), everything=True, listing=False, late=True)
        return row_of(look, self.row(user, request.args["item"]))

    # --- writes ---------------------------------------------------------------------------------

    def _replace_data(self, request: Request, token: Token) -> None:
        """All of the data of a user, in place of what was there."""
        body = self.body(request)
        user = self.writing(token, self._user_of(request, token), guarded=True)
        row = self.row(user, request.args["item"])
        try:
            found = _data_of(body)
        except (TypeError, ValueError) as error:
            raise RefusedError(400, f"Could not deserialize: {error}") from None
        if not self.keeps_ratings:
            found.pop("rating", None)
        if self.heard():
            state = self.world.change(user, row)
            nothing = {} if self.merges else {name: getattr(State(), name) for name in _NAMES.values()}
            for name, value in (nothing | found).items():
                setattr(state, name, self.world.grained(value) if name == "at" else value)

    def _marking(self, change: Callable[[User, Title, Query], None]) -> Callable[[Request, Token], Row]:
        def answer(request: Request, token: Token) -> Row:
            user = self.writing(token, self._user_of(request, token), guarded=True)
            row, query = self.row(user, request.args["item"]), self.query(request)
            if change == self._played:
                _compact(query)
            if self.heard():
                change(user, row, query)
            return user_data(Look(self.world, self.dialect, user, listing=False), row, whole=True)

        return answer

    def _played(self, user: User, row: Title, query: Query) -> None:
        at, before = _compact(query), {leaf.id: self.world.peek(user, leaf).at for leaf in row.leaves()}
        self.world.mark(user, row, at)
        for leaf in row.leaves() if self.keeps_newer else ():
            state = self.world.state(user, leaf)
            state.at = max(state.at or 0, before[leaf.id] or 0)

    def _unplayed(self, user: User, row: Title, _query: Query) -> None:
        self.world.unmark(user, row)

    def _favourite(self, user: User, row: Title, _query: Query) -> None:
        self.world.change(user, row).favourite = True

    def _no_favourite(self, user: User, row: Title, _query: Query) -> None:
        self.world.change(user, row).favourite = False

    def _like(self, user: User, row: Title, query: Query) -> None:
        self.world.change(user, row).rating = 10.0 if query.flag("likes") else 1.0

    def _unrate(self, user: User, row: Title, _query: Query) -> None:
        self.world.change(user, row).rating = None

    def _progress(self, request: Request, token: Token) -> None:
        """A player says where it is."""
        user = self.writing(token, self._user_of(request, token), guarded=True)
        row, query = self.row(user, request.args["item"]), self.query(request)
        if query.text("mediasourceid") is None:
            raise RefusedError(400, "Value cannot be null. (Parameter 'MediaSourceId')")
        if self.heard():
            self.world.change(user, row).position = query.number("positionticks") or 0


def _compact(query: Query) -> int | None:
    """The date of a play: fourteen digits, or none. Raises `RefusedError` for another form."""
    text = query.text("dateplayed")
    if text is None:
        return None
    if not _DATE.fullmatch(text):
        raise RefusedError(500, f"String '{text}' was not recognized as a valid DateTime.")
    return ticks(text)


_NAMES = {
    "rating": "rating",
    "playbackpositionticks": "position",
    "playcount": "count",
    "isfavorite": "favourite",
    "played": "played",
    "lastplayeddate": "at",
}
_KINDS: dict[str, Any] = {
    "rating": (int, float),
    "position": int,
    "count": int,
    "favourite": bool,
    "played": bool,
    "at": str,
}
_TEXTS = {404: "Not Found", 415: "Unsupported Media Type", 500: STALE}


def _data_of(body: dict[str, Any]) -> dict[str, Any]:
    """What a body names, by the fields of `State`; null is as if it were not named."""
    found: dict[str, Any] = {}
    for name, field in _NAMES.items():
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, _KINDS[field]) or (isinstance(value, bool) and _KINDS[field] is not bool):
            raise ValueError(name)
        found[field] = ticks(value) if isinstance(value, str) else value
    if "rating" in found:
        found["rating"] = float(found["rating"])
    return found
