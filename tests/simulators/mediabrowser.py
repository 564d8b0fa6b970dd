"""What a simulated Jellyfin and a simulated Emby have in common: one server, its door, its listings, its knobs.

Stateful, strict per version, and with the faults that users report. What goes wrong on the wire (lost
answers, HTML, 503) is laid over it by `Server.fault`; what the servers do by themselves are the knobs.
See `simulators.jellyfin` and `simulators.emby`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from simulators.mediabrowserboxes import Boxes
from simulators.mediabrowserlists import Listings, nobody
from simulators.mediabrowserlogin import Doors, Token
from simulators.mediabrowserrows import Look, RefusedError, Row, now_text, row_of
from simulators.mediabrowserworld import User, World
from support.httpserver import Reply, Request

LOCKED = "SQLite Error 5: 'database is locked'."
# Of a request, in bytes.
LONGEST_LINE = 8192
STALE = "Object reference not set to an instance of an object."
Answer = Callable[[Request, Token], Any]


class MediaBrowser(Listings):
    """Knobs of both, besides those of `Listings`:

    `base`: the base path, with a slash before it. `locked`: how many more writes find the database locked.
    `starting`: how many more requests are answered by the page of a server that starts. `deaf_writes`: how
    many more writes are answered well and not stored. `scanning`: a library scan runs. `ignores_user`:
    writes with the token of an administrator go to them, whoever was meant. `watch`: called with every
    request and its answer.
    """

    def __init__(self, world: World, doors: Doors, version: str, *, base: str = "", port: int = 0) -> None:
        super().__init__(world, port=port)
        self.doors = doors
        self.version = version
        self.name = "Simulated"
        self.base = base
        self.root = self.url
        self.url += base
        self.locked = 0
        self.starting = 0
        self.deaf_writes = 0
        self.scanning = False
        self.ignores_user = False
        self.watch: Callable[[Request, Reply], None] | None = None
        self.key = doors.key()
        self.boxes = Boxes(self)
        self.routes_of_dialect()
        self._routes_of_both()
        self.boxes.serve()

    # --- for tests ------------------------------------------------------------------------------

    def token(self, user: User | None = None, device_id: str = "a device") -> str:
        """A token of a user (the owner) on a device."""
        return self.doors.token(user or self.world.owner, device_id)

    def options(self, **more: object) -> dict[str, object]:
        """The table of an account that uses the key."""
        return {"url": self.url, "user": self.world.owner.name, **more}

    # --- the guard at the door ------------------------------------------------------------------

    def prefixes(self) -> tuple[str, ...]:
        """What may stand before a path, and is taken off."""
        return ()

    def handle(self, request: Request) -> Reply:
        inner = self._inner(request)
        reply = self._handle(inner)
        if self.watch is not None and inner.target.startswith("/"):
            self.watch(inner, reply)
        return reply

    def _inner(self, request: Request) -> Request:
        """The request without what stands before its path; one to nowhere when that is not the base path."""
        parts = urlsplit(request.target)
        path = "/" + parts.path.lstrip("/")
        if self.base and not path.lower().startswith(self.base.lower() + "/"):
            return replace(request, target="")
        path = path[len(self.base) :].lower()
        for prefix in self.prefixes():
            if path.startswith(prefix + "/"):
                path = path.removeprefix(prefix)
                break
        return replace(request, target=path + (f"?{parts.query}" if parts.query else ""))

    def _handle(self, request: Request) -> Reply:
        if self.starting > 0:
            self.starting -= 1
            page = "<html><head><title>Server starting</title></head><body>The server is starting.</body></html>"
            return Reply(page, 503, {"Retry-After": "005"})
        if len(f"{request.method} {request.target} HTTP/1.1\r\n") > LONGEST_LINE:
            return Reply(b"", 414, {"Content-Type": "text/plain"})
        if not request.target:
            return Reply("", 302, {"Location": f"{self.base}/web/"})
        try:
            reply = super().handle(request)
        except RefusedError as refused:
            return self.refusal(refused)
        unknown = reply.status in (404, 405) and isinstance(reply.body, dict)
        return Reply(b"", reply.status, {"Content-Type": "text/plain"}) if unknown else reply

    def refusal(self, refused: RefusedError) -> Reply:
        """How this server says no."""
        raise NotImplementedError

    def serve(self, method: str, path: str, answer: Answer, *, admin: bool = False) -> None:
        """Let `answer` be what those with a token get at a path: a body, a whole reply, or None for 204."""

        def handle(request: Request) -> Reply:
            token = self.doors.who(request)
            if admin and not token.powerful:
                raise RefusedError(403, "")
            return self.told(answer(request, token))

        self.route(method, path.lower(), handle)

    def open(self, method: str, path: str, answer: Callable[[Request], Any]) -> None:
        """The same for everybody."""
        self.route(method, path.lower(), lambda request: self.told(answer(request)))

    def routes_of_dialect(self) -> None:
        """The paths of this dialect; they come before those of both."""
        raise NotImplementedError

    # --- what both answer -----------------------------------------------------------------------

    def _routes_of_both(self) -> None:
        self.open("GET", "/System/Info/Public", lambda _request: self.public_info())
        self.serve("GET", "/System/Info", lambda _request, _token: self.system_info())
        self.serve("GET", "/Users", lambda _request, _token: [self.user_row(one) for one in self.users()])
        self.open("GET", "/Users/Public", lambda _request: self._shown_users())
        self.serve("GET", "/Users/{user}", lambda request, _token: self._one_user(request))
        self.serve("GET", "/ScheduledTasks", lambda _request, _token: self._tasks(), admin=True)
        self.serve("POST", "/Auth/Keys", self._make_key, admin=True)
        self.serve("GET", "/Auth/Keys", lambda _request, _token: self._keys(), admin=True)
        self.serve("POST", "/Sessions/Logout", self._logout)
        self.serve("GET", "/Sessions", lambda _request, token: self._sessions(token))
        self.open("POST", "/Users/AuthenticateByName", self._by_name)

    def users(self) -> list[User]:
        """Everyone, in the order of their names."""
        return sorted(self.world.users.values(), key=lambda one: one.name.lower())

    def public_info(self) -> Row:
        """What everybody may know of the server."""
        raise NotImplementedError

    def system_info(self) -> Row:
        """What those with a token may know of it."""
        return self.public_info() | {"HasPendingRestart": False, "IsShuttingDown": False, "WebSocketPortNumber": 8096}

    def policy(self, user: User) -> Row:
        """What a user may."""
        return {
            "IsAdministrator": user.admin,
            "IsHidden": user.hidden,
            "IsDisabled": user.disabled,
            "EnableUserPreferenceAccess": user.may_change,
            "EnableAllFolders": user.libraries is None,
            "EnabledFolders": sorted(user.libraries or ()),
            "InvalidLoginAttemptCount": user.failed,
        }

    def user_row(self, user: User) -> Row:
        """A user as a row."""
        return {
            "Name": user.name,
            "ServerId": self.world.server_id,
            "Id": user.id,
            "HasPassword": bool(user.password),
            "HasConfiguredPassword": bool(user.password),
            "EnableAutoLogin": False,
            "Policy": self.policy(user),
            "Configuration": {"DisplayMissingEpisodes": False, "HidePlayedInLatest": True},
        }

    def _shown_users(self) -> list[Row]:
        return [self.user_row(one) for one in self.users() if not one.hidden and not one.disabled]

    def _one_user(self, request: Request) -> Row:
        user = self.world.users.get(request.args["user"].replace("-", ""))
        if user is None:
            raise RefusedError(404)
        return self.user_row(user)

    def folders(self) -> list[Row]:
        return [
            {
                "Name": one.name,
                "Locations": [f"/media/{one.name}"],
                "CollectionType": one.kind,
                "LibraryOptions": {},
                "ItemId": one.id,
            }
            for one in self.world.libraries.values()
        ]

    def _tasks(self) -> list[Row]:
        state = "Running" if self.scanning else "Idle"
        row: Row = {"Name": "Scan Media Library", "State": state, "Id": "7738148f", "Key": "RefreshLibrary"}
        if self.scanning:
            row["CurrentProgressPercentage"] = 42.0
        return [row | {"Triggers": [], "Description": "", "Category": "Library", "IsHidden": False}]

    def _sessions(self, token: Token) -> list[Row]:
        """What is played now; who is no administrator sees their own."""
        world, rows = self.world, []
        for number, (user_id, row_id) in enumerate(sorted(world.playing)):
            user = world.users[user_id]
            if token.powerful or token.user is user:
                look = Look(world, self.dialect, None, everything=True, user_data=False)
                rows.append(
                    {
                        "Id": f"{number:032x}",
                        "UserId": user_id,
                        "UserName": user.name,
                        "Client": "A player",
                        "DeviceName": "Television",
                        "DeviceId": f"television-{number}",
                        "PlayState": {"PositionTicks": 0, "CanSeek": True, "IsPaused": False},
                        "NowPlayingItem": row_of(look, world.titles[row_id]),
                    }
                )
        return rows

    def _make_key(self, request: Request, _token: Token) -> None:
        app = self.query(request).text("app")
        if app is None:
            raise RefusedError(400, "binding:app:missing")
        self.doors.key(app)

    def _keys(self) -> Row:
        rows = self.doors.key_rows()
        return {"Items": rows, "TotalRecordCount": len(rows), "StartIndex": 0}

    def _logout(self, _request: Request, token: Token) -> None:
        self.doors.revoke(token.value)

    def _by_name(self, request: Request) -> Row:
        body = self.login_body(request)
        return self.logged_in(self.doors.by_password(request, body.get("username"), body.get("pw")))

    def login_body(self, request: Request) -> dict[str, Any]:
        """The name and the password of a login."""
        return self.body(request)

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON object of a request, its names in lower case. Raises `RefusedError` 415 or 400."""
        if "json" not in request.headers.get("content-type", ""):
            raise RefusedError(415)
        try:
            found = request.json()
        except ValueError:
            raise RefusedError(400, "binding:$:not JSON") from None
        if not isinstance(found, dict):
            raise RefusedError(400, "binding:$:a body is required")
        return {name.lower(): value for name, value in found.items()}

    def logged_in(self, token: Token) -> Row:
        """What a login answers."""
        assert token.user is not None
        session = {
            "Id": token.value[::-1],
            "UserId": token.user.id,
            "UserName": token.user.name,
            "Client": token.app,
            "DeviceId": token.device_id,
            "DeviceName": token.device,
            "ApplicationVersion": token.version,
            "LastActivityDate": now_text(self.world.now()),
            "ServerId": self.world.server_id,
        }
        user = self.user_row(token.user)
        return {"User": user, "SessionInfo": session, "AccessToken": token.value, "ServerId": self.world.server_id}

    # --- writes ---------------------------------------------------------------------------------

    def writing(self, token: Token, user: User | None, *, guarded: bool = False) -> User:
        """The user whose data a write changes, when it may (`guarded`: it needs leave). Raises `RefusedError`."""
        self.trips()
        user = self.somebody(user)
        if guarded:
            self.lets(token, user)
        if self.ignores_user and token.user is not None:
            return token.user
        return user

    def trips(self) -> None:
        """Raises `RefusedError` where the database is locked."""
        if self.locked > 0:
            self.locked -= 1
            raise RefusedError(500, LOCKED)

    def somebody(self, user: User | None) -> User:
        """The user where one is needed. Raises `RefusedError` where a key named none."""
        if user is None:
            raise nobody()
        return user

    def lets(self, token: Token, user: User) -> None:
        """Raises `RefusedError` 403 when a user may not change what they did."""
        if not token.powerful and not user.may_change:
            raise RefusedError(403, f"{user.name} is not allowed to change this.")

    def heard(self) -> bool:
        """Whether a write is stored; counts those that are not."""
        if self.deaf_writes > 0:
            self.deaf_writes -= 1
            return False
        return True
