"""A simulated Jellyfin, strict as the version it plays.

    with Jellyfin(version="10.10.7") as server:
        films = server.world.add_library("Films")
        heat = server.world.add(films, MOVIE, "Heat", {"Imdb": "tt0113277"}, year=1995)
        ... server.url, server.key, server.token(), server.world.owner

Source: the server's code at the tags 10.10.7, 10.11.11 and 12.0-rc5, and its OpenAPI documents (checked 2026-11-21).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simulators.mediabrowser import MediaBrowser
from simulators.mediabrowserlogin import Doors, Token
from simulators.mediabrowserrows import Dialect, Look, Query, RefusedError, Row, row_of, user_data
from simulators.mediabrowserworld import State, Title, User, World, ticks
from support.httpserver import Reply, Request

VERSIONS = ("10.9.11", "10.10.7", "10.11.11", "12.0.0")
NEWEST = "10.11.11"
_GUID = frozenset("0123456789abcdef")
_TITLES = {400: "Bad Request", 404: "Not Found", 415: "Unsupported Media Type"}


class Jellyfin(MediaBrowser):
    """A server of one of `VERSIONS`, or one that says it is another. See `MediaBrowser` for the knobs.

    `shadowed`: ids of rows whose played mark is shadowed by an old one: writes are answered well, and they
    stay unplayed. `rejects_user_data`: the endpoint of user data is missing, as before 10.9.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        version: str = NEWEST,
        legacy: bool | None = None,
        base: str = "",
        port: int = 0,
        now: Callable[[], float] | None = None,
    ) -> None:
        world = world or (World(now) if now else World())
        self.number = tuple(int(part) for part in version.partition("-")[0].split("."))
        self.dialect = Dialect(emby=False, version=self.number, real_item_ids=self.number >= (10, 11))
        world.shared = self.number < (10, 11)
        world.start_unmarks = self.number < (12,)
        world.joined = self.number >= (12,)
        self.shadowed: set[str] = set()
        self.rejects_user_data = self.number < (10, 9)
        doors = Doors(world, emby=False, legacy=self.number < (12,) if legacy is None else legacy)
        super().__init__(world, doors, version, base=base, port=port)

    def prefixes(self) -> tuple[str, ...]:
        return ("/emby", "/mediabrowser") if self.number < (12,) else ()

    def refusal(self, refused: RefusedError) -> Reply:
        """An empty body for who may not, a problem for what cannot be read, text for what went wrong inside."""
        text, status = refused.text, refused.status
        if text is not None and text.startswith("binding:"):
            _, name, value = text.split(":", 2)
            errors = {name: [f"The value '{value}' is not valid."]}
            return self._problem(400, title="One or more validation errors occurred.", errors=errors)
        if status in (404, 415) and text is None:
            return self._problem(status)
        if text == "":
            return Reply(b"", status, {"Content-Type": "text/plain"})
        # The text of an exception stays in the log of the server, but for an administrator's own eyes.
        said = text if status in (401, 403) and text else "Error processing request."
        return Reply(said.encode(), status, {"Content-Type": "text/plain"})

    def _problem(self, status: int, title: str | None = None, **more: Any) -> Reply:
        kind = "https://tools.ietf.org/html/rfc9110#section-15.5.5"
        body = {"type": kind, "title": title or _TITLES[status], "status": status, "traceId": "00-0-0-00"} | more
        return replace(self.told(body), status=status)

    # --- what it answers ------------------------------------------------------------------------

    def routes_of_dialect(self) -> None:
        self.open("GET", "/System/Ping", lambda _request: "Jellyfin Server")
        self.open("GET", "/QuickConnect/Enabled", lambda _request: self.doors.quick_on)
        self.open("POST", "/QuickConnect/Initiate", lambda request: self._quick(self.doors.initiate(request)))
        self.open("GET", "/QuickConnect/Connect", self._connect)
        self.serve("POST", "/QuickConnect/Authorize", self._authorize)
        self.open("POST", "/Users/AuthenticateWithQuickConnect", self._by_quick)
        self.serve("GET", "/Users/Me", self._me)
        self.serve("GET", "/Library/VirtualFolders", lambda _request, _token: self.folders(), admin=True)
        self.serve("GET", "/UserViews", lambda request, token: self.views(self._asked(request, token)))
        self.serve("GET", "/Items", self._listed)
        self.serve("GET", "/Items/{item}", self._item)
        self.serve("GET", "/UserItems/Resume", self._resume)
        for path in ("/UserItems/{item}/UserData", "/Users/{user}/Items/{item}/UserData"):
            self.serve("GET", path, self._read_data)
            self.serve("POST", path, self._write_data)
        for way, name, change in (
            ("POST", "Played", self._played),
            ("DELETE", "Played", self._unplayed),
            ("POST", "Favorite", self._favourite),
            ("DELETE", "Favorite", self._no_favourite),
        ):
            self.serve(way, f"/User{name}Items/{{item}}", self._marking(change))
            self.serve(way, f"/Users/{{user}}/{name}Items/{{item}}", self._marking(change))
        self.serve("POST", "/UserItems/{item}/Rating", self._marking(self._like))
        self.serve("DELETE", "/UserItems/{item}/Rating", self._marking(self._unrate))
        self._obsolete()

    def _obsolete(self) -> None:
        """Paths that name the user: hidden since 10.9, and still answered."""
        self.serve("GET", "/Users/{user}/Views", lambda request, token: self.views(self._asked(request, token)))
        self.serve("GET", "/Users/{user}/Items", self._listed)
        self.serve("GET", "/Users/{user}/Items/Resume", self._resume)
        self.serve("GET", "/Users/{user}/Items/{item}", self._item)
        self.serve("POST", "/Users/{user}/Items/{item}/Rating", self._marking(self._like))
        self.serve("DELETE", "/Users/{user}/Items/{item}/Rating", self._marking(self._unrate))

    def _asked(self, request: Request, token: Token) -> User | None:
        asked = request.args.get("user") or self.query(request).text("userid")
        if asked is not None and not _is_guid(asked):
            raise RefusedError(400, f"binding:userId:{asked}")
        return self.user(token, asked)

    def _one_user(self, request: Request) -> Row:
        if not _is_guid(request.args["user"]):
            raise RefusedError(400, f"binding:userId:{request.args['user']}")
        return super()._one_user(request)

    def _me(self, _request: Request, token: Token) -> Row | Reply:
        if token.user is None:
            return self._problem(400)
        return self.user_row(token.user)

    def user_row(self, user: User) -> Row:
        row = super().user_row(user)
        names = ("SyncPlayAccess", "AuthenticationProviderId", "PasswordResetProviderId")
        more = ("CreateAndJoinGroups", _PROVIDER, _PROVIDER.replace("Authentication", "PasswordReset"))
        row["Policy"] |= dict(zip(names, more, strict=True)) | {"LoginAttemptsBeforeLockout": user.lockout}
        return row

    def public_info(self) -> Row:
        return {
            "LocalAddress": self.root,
            "ServerName": self.name,
            "Version": self.version,
            "ProductName": "Jellyfin Server",
            "OperatingSystem": "",
            "Id": self.world.server_id,
            "StartupWizardCompleted": True,
        }

    def listing(self, rows: list[Row], total: int, start: int) -> Row:
        return {"Items": rows, "TotalRecordCount": total, "StartIndex": start}

    # --- reads ----------------------------------------------------------------------------------

    def _listed(self, request: Request, token: Token) -> Any:
        user, query = self._asked(request, token), self.query(request)
        if not (query.flag("recursive", False) or query.text("parentid") or query.words("ids")):
            return self.views(user)
        return self.items(request, user)

    def _resume(self, request: Request, token: Token) -> Any:
        user = self.somebody(self._asked(request, token))
        more = {"filters": "IsResumable", "recursive": "true", "sortby": "DatePlayed", "sortorder": "Descending"}
        return self.items(request, user, **more)

    def _target(self, request: Request, user: User | None) -> Title:
        if not _is_guid(request.args["item"]):
            raise RefusedError(400, f"binding:itemId:{request.args['item']}")
        return self.row(user, request.args["item"])

    def _item(self, request: Request, token: Token) -> Row:
        user = self.somebody(self._asked(request, token))
        row = self._target(request, user)
        return row_of(Look(self.world, self.dialect, user, everything=True, listing=False), row)

    def _read_data(self, request: Request, token: Token) -> Row:
        user = self.somebody(self._asked(request, token))
        if self.rejects_user_data:
            raise RefusedError(404)
        self.lets(token, user)
        return self._data(user, self._target(request, user))

    def _data(self, user: User, row: Title) -> Row:
        return user_data(Look(self.world, self.dialect, user, listing=False), row)

    # --- writes ---------------------------------------------------------------------------------

    def _write_data(self, request: Request, token: Token) -> Row:
        """A part of the data of a user: what is absent or null stays as it is."""
        if self.rejects_user_data:
            raise RefusedError(404)
        asked = self._asked(request, token)
        change = _partial(self.body(request))
        user = self.writing(token, asked, guarded=True)
        row = self._target(request, user)
        if self.heard():
            state = self.world.change(user, row)
            for name, value in change.items():
                setattr(state, name, self.world.grained(value) if name == "at" else value)
            self._shadow(row, state)
        return self._data(user, row)

    def _marking(self, change: Callable[[User, Title, Query], None]) -> Callable[[Request, Token], Row]:
        def answer(request: Request, token: Token) -> Row:
            user = self.writing(token, self._asked(request, token))
            row = self._target(request, user)
            if self.heard():
                change(user, row, self.query(request))
                for leaf in row.leaves():
                    self._shadow(leaf, self.world.peek(user, leaf))
            return self._data(user, row)

        return answer

    def _shadow(self, row: Title, state: State) -> None:
        if row.id in self.shadowed:
            state.played = False

    def _played(self, user: User, row: Title, query: Query) -> None:
        text = query.text("dateplayed")
        try:
            at = None if text is None else ticks(text.replace(" ", "+"))
        except ValueError:
            raise RefusedError(400, f"binding:datePlayed:{text}") from None
        self.world.mark(user, row, at)

    def _unplayed(self, user: User, row: Title, _query: Query) -> None:
        self.shadowed.discard(row.id)
        self.world.unmark(user, row)

    def _favourite(self, user: User, row: Title, _query: Query) -> None:
        self.world.change(user, row).favourite = True

    def _no_favourite(self, user: User, row: Title, _query: Query) -> None:
        self.world.change(user, row).favourite = False

    def _like(self, user: User, row: Title, query: Query) -> None:
        likes = query.flag("likes")
        self.world.change(user, row).rating = None if likes is None else 10.0 if likes else 1.0

    def _unrate(self, user: User, row: Title, _query: Query) -> None:
        self.world.change(user, row).rating = None

    # --- Quick Connect --------------------------------------------------------------------------

    def _quick(self, quick: Any) -> Row:
        return self.doors.quick_row(quick)

    def _connect(self, request: Request) -> Row:
        if not self.doors.quick_on:
            raise RefusedError(401, "Quick connect is not active on this server")
        return self.doors.quick_row(self.doors.waiting(self.query(request).text("secret")))

    def _authorize(self, request: Request, token: Token) -> bool:
        user = self._asked(request, token)
        if user is None:
            raise RefusedError(401)
        self.doors.approve(user, self.query(request).text("code"))
        return True

    def _by_quick(self, request: Request) -> Row:
        secret = self.body(request).get("secret")
        return self.logged_in(self.doors.by_quick(secret if isinstance(secret, str) else None))


_PROVIDER = "Jellyfin.Server.Implementations.Users.DefaultAuthenticationProvider"


def _is_guid(text: str) -> bool:
    plain = text.replace("-", "").lower()
    return len(plain) == 32 and _GUID.issuperset(plain)


def _partial(body: dict[str, Any]) -> dict[str, Any]:
    """What a body of user data changes, by the fields of `State`. Raises `RefusedError` 400."""
    given = {name: value for name, value in body.items() if value is not None}
    found: dict[str, Any] = {}
    for name, field, kind in _FIELDS:
        if name in given:
            found[field] = _read(name, given[name], kind)
    if "likes" in given and "rating" not in given:
        found["rating"] = 10.0 if _read("likes", given["likes"], bool) else 1.0
    if not 0 <= found.get("rating", 0) <= 10:
        raise RefusedError(400, "Specified argument was out of the range of valid values.")
    return found


_FIELDS = (
    ("rating", "rating", float),
    ("playbackpositionticks", "position", int),
    ("playcount", "count", int),
    ("isfavorite", "favourite", bool),
    ("played", "played", bool),
    ("lastplayeddate", "at", str),
)


def _read(name: str, value: Any, kind: type) -> Any:
    """A value of a body; numbers may come as text. Raises `RefusedError` 400."""
    wrong = RefusedError(400, f"binding:$.{name}:{value}")
    if kind in (bool, str):
        if not isinstance(value, kind):
            raise wrong
        try:
            return ticks(value) if isinstance(value, str) else value
        except ValueError:
            raise wrong from None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong
    try:
        number = float(value)
    except ValueError:
        raise wrong from None
    if not math.isfinite(number) or (kind is int and number != int(number)):
        raise wrong
    return kind(number)
