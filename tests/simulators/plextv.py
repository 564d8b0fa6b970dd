"""The account service of the simulated Plex: PINs, users of the home, and the servers of an account."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulators.plexrows import told
from simulators.plexworld import User, hexed
from support.httpserver import Handler, Reply, Request

if TYPE_CHECKING:
    from simulators.plex import Plex

LIFETIME_S = 1800


def refused(request: Request, status: int, code: int, message: str) -> Reply:
    """How plex.tv says no."""
    error = {"code": code, "message": message, "status": status}
    return told(request, "errors", {"errors": [error]}, status)


class PlexTv:
    """Knobs: `approve` lets the user of a PIN in (with `open_door` everybody is, as the owner); `connections`
    are the addresses of the server; `bare_list` gives the users of the home without a wrapper; without `home`
    nobody is in one.
    """

    def __init__(self, plex: Plex) -> None:
        self.plex = plex
        self.pins: dict[int, dict[str, Any]] = {}
        self.connections: list[dict[str, Any]] = []
        self.lifetime_s = LIFETIME_S
        self.open_door = False
        self.bare_list = False
        self.home = True
        self.signed_out: list[str] = []
        tv = plex.tv
        tv.route("POST", "/api/v2/pins", self._client(self._new_pin))
        tv.route("GET", "/api/v2/pins/{id}", self._client(self._pin))
        tv.route("GET", "/api/v2/ping", lambda request: told(request, "pong", {"pong": True}))
        tv.route("GET", "/api/v2/user", self._user(self._whoami))
        tv.route("GET", "/api/v2/resources", self._user(self._resources))
        tv.route("GET", "/api/v2/home/users", self._user(self._home))
        tv.route("GET", "/api/home/users", self._user(self._home_v1))
        tv.route("POST", "/api/v2/home/users/{uuid}/switch", self._user(self._switch))
        tv.route("POST", "/api/home/users/{id}/switch", self._user(self._switch_v1))
        tv.route("GET", "/api/users/", self._user(self._others))
        tv.route("DELETE", "/api/v2/users/signout", self._user(self._sign_out))

    def approve(self, user: User, number: int | None = None) -> None:
        """The person has typed the newest (or this) PIN at plex.tv/link."""
        self.pins[max(self.pins) if number is None else number]["authToken"] = user.token

    # --- who asks -------------------------------------------------------------------------------

    def _client(self, handler: Callable[[Request, str], Reply]) -> Handler:
        def handle(request: Request) -> Reply:
            client = request.headers.get("x-plex-client-identifier", "")
            if not client or not request.headers.get("x-plex-product"):
                return refused(request, 400, 1000, "X-Plex-Client-Identifier is missing")
            return handler(request, client)

        return handle

    def _user(self, handler: Callable[[Request, User], Reply]) -> Handler:
        def handle(request: Request) -> Reply:
            user = self.plex.user_of(request.headers.get("x-plex-token"), server=False)
            if user is None:
                return refused(request, 401, 1001, "User could not be authenticated")
            return handler(request, user)

        return handle

    # --- PINs -----------------------------------------------------------------------------------

    def _new_pin(self, request: Request, client: str) -> Reply:
        number = len(self.pins) + 1
        strong = request.query.get("strong", "").lower() in ("true", "1")
        code = hexed("pin", number) if strong else hexed("pin", number)[:4].upper()
        pin = {
            "id": number,
            "code": code,
            "product": request.headers["x-plex-product"],
            "trusted": False,
            "clientIdentifier": client,
            "expiresIn": self.lifetime_s,
            "createdAt": "2026-01-01T00:00:00Z",
            "expiresAt": "2099-01-01T00:00:00Z",
            "authToken": None,
            "newRegistration": None,
        }
        self.pins[number] = pin
        return told(request, "pin", pin, 201)

    def _pin(self, request: Request, client: str) -> Reply:
        pin = self.pins.get(int(request.args["id"]))
        if pin is None or pin["clientIdentifier"] != client:
            return refused(request, 404, 1020, "Code not found or expired")
        if self.open_door:
            pin["authToken"] = self.plex.world.owner.token
        return told(request, "pin", pin)

    # --- accounts and servers -------------------------------------------------------------------

    def _whoami(self, request: Request, user: User) -> Reply:
        return told(request, "user", self._account(user))

    def _account(self, user: User) -> dict[str, Any]:
        return {
            "id": user.id,
            "uuid": user.uuid,
            "username": "" if user.managed else user.name.lower(),
            "title": user.name,
            "email": "" if user.managed else f"{user.name.lower()}@example.org",
            "friendlyName": "",
            "thumb": "",
            "authToken": user.token,
            "scrobbleTypes": "1",
            "protected": user.pin is not None,
            "home": self.home,
            "homeAdmin": self.home and user.admin,
            "guest": False,
            "restricted": user.managed,
            "subscription": {"active": False, "status": "Inactive", "subscribedAt": None, "plan": None},
            "profile": {"autoSelectAudio": True, "defaultAudioLanguage": "en"},
        }

    def _home(self, request: Request, _user: User) -> Reply:
        keys = ("id", "uuid", "title", "username", "email", "friendlyName", "thumb", "guest", "restricted", "protected")
        users = []
        for user in self.plex.world.users:
            account = self._account(user)
            users.append({**{key: account[key] for key in keys}, "admin": user.admin})
        if self.bare_list:
            return Reply(users)
        return told(request, "home", {"id": 1, "name": "home", "guestEnabled": False, "users": users})

    def _home_v1(self, request: Request, _user: User) -> Reply:
        users = self._users()
        return told(request, "MediaContainer", {"size": len(users), "User": users})

    def _others(self, request: Request, user: User) -> Reply:
        users = [one for one in self._users() if one["id"] != user.id]
        return told(request, "MediaContainer", {"size": len(users), "User": users})

    def _users(self) -> list[dict[str, Any]]:
        return [
            {
                "id": one.id,
                "uuid": one.uuid,
                "title": one.name,
                "username": "" if one.managed else one.name.lower(),
                "email": "",
                "admin": one.admin,
                "home": True,
                "protected": one.pin is not None,
                "restricted": one.managed,
            }
            for one in self.plex.world.users
        ]

    def _switched(self, request: Request, user: User | None) -> Reply | None:
        if user is None:
            return refused(request, 404, 1002, "User not found")
        if user.pin is not None and request.query.get("pin") != user.pin:
            return refused(request, 403, 1041, "Invalid PIN")
        return None

    def _switch(self, request: Request, _user: User) -> Reply:
        other = next((one for one in self.plex.world.users if one.uuid == request.args["uuid"]), None)
        no = self._switched(request, other)
        return no or told(request, "user", self._account(other) if other else {}, 201)

    def _switch_v1(self, request: Request, _user: User) -> Reply:
        other = next((one for one in self.plex.world.users if str(one.id) == request.args["id"]), None)
        no = self._switched(request, other)
        if no or other is None:
            return no or refused(request, 404, 1002, "User not found")
        return told(request, "user", {"id": other.id, "authenticationToken": other.token}, 201)

    def _resources(self, request: Request, user: User) -> Reply:
        uri = self.plex.pms.url
        usual = {"protocol": "http", "address": "127.0.0.1", "port": self.plex.pms.port, "uri": uri}
        connections = self.connections or [{**usual, "local": True, "relay": False, "IPv6": False}]
        server = {
            "name": "Simulated",
            "product": "Plex Media Server",
            "productVersion": "1.43.0.1",
            "platform": "Linux",
            "device": "PC",
            "clientIdentifier": self.plex.world.machine_id,
            "createdAt": "2021-01-01T12:12:24Z",
            "lastSeenAt": "2026-01-01T13:43:34Z",
            "provides": "server",
            "ownerId": None if user.admin else self.plex.world.owner.id,
            "publicAddress": "192.0.2.1",
            "accessToken": user.server_token,
            "owned": user.admin,
            "home": True,
            "synced": False,
            "relay": False,
            "presence": True,
            "httpsRequired": False,
            "publicAddressMatches": True,
            "connections": connections,
        }
        player = {
            **server,
            "name": "A player",
            "provides": "client,player",
            "clientIdentifier": "player",
            "owned": True,
        }
        return told(request, "resources", [player, server])

    def _sign_out(self, request: Request, user: User) -> Reply:
        self.plex.revoked.add(user.token)
        self.signed_out.append(user.token)
        return Reply("", 204)
