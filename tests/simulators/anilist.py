"""An AniList on loopback: its schema executed, its limits, its errors with their odd statuses.

One user, whose tokens are made here (`login`). What goes wrong on the wire is asked of the server
(`fault`, with `asking` where it depends on what is asked); what is odd about the service is a switch here.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from functools import cache
from typing import Any

from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    execute,
    parse,
    validate,
)

from cwsync.model import Entry, Feature
from simulators.anilist_roots import FieldError, Roots
from simulators.anilist_schema import schema
from simulators.anilist_world import World
from support.httpserver import Do, Handler, Reply, Request, Server

CHALLENGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Cloudflare</body></html>"
DISABLED = (
    "The AniList API has been temporarily disabled due to severe stability issues. "
    "Please check the official AniList Discord for more information."
)
WINDOW_S = 60


class AniList(Server):
    """The service. `now` is its clock (seconds); `pace` refuses what is beyond `limit` requests a minute.

    `complexity` is the most that a request may ask for, `per_field` what each of its fields costs;
    `told_limit` is what headers say in place of `limit`. `paths` lets errors name their field.
    """

    def __init__(self, *, now: Callable[[], float] = time.time, pace: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.clock = now
        self.pace = pace
        self.world = World(now)
        self.roots = Roots(self.world)
        self.limit = 30
        self.told_limit: int | None = None
        self.complexity, self.per_field = 500, 1
        self.disabled = self.challenge = self.needs_referer = False
        self.retry_after = self.paths = True
        self.tokens: dict[str, float] = {}  # token -> until when
        self._times: list[float] = []
        self._shut_until = float("-inf")
        self.route("POST", "/", self._graphql)
        self.route("POST", "", self._graphql)

    # --- what tests do behind its back ----------------------------------------------------------

    def login(self, *, days: float = 365, **claims: Any) -> str:
        """A token as the pin page shows it."""
        until = int(self.clock() + days * 86400)
        payload = {"aud": "1", "jti": secrets.token_hex(8), "sub": str(self.world.user_id), "exp": until} | claims
        parts = [_base64({"typ": "JWT", "alg": "RS256"}), _base64(payload), secrets.token_urlsafe(64)]
        token = ".".join(parts)
        self.tokens[token] = until
        return token

    def put(self, feature: Feature, entries: Iterable[Entry]) -> None:
        """Let the account hold exactly these rows of a feature, and nothing else."""
        self.world.put(feature, entries)

    def expire(self) -> None:
        """Let every token end."""
        self.tokens.clear()

    def lag(self) -> None:
        """From now on lists are shown as they are now."""
        self.roots.frozen = self.roots.rows()

    def settle(self) -> None:
        """Show lists as they are."""
        self.roots.frozen = None

    def asked(self, word: str) -> int:
        """How many requests had a word in them: ``MediaListCollection``."""
        return sum(word.encode() in one.body for one in self.log)

    # --- a request ------------------------------------------------------------------------------

    def handle(self, request: Request) -> Reply:
        """The answer, with what the house in front of it has to say first."""
        if self.challenge:
            return Reply(CHALLENGE, 403)
        if self.disabled or (self.needs_referer and "referer" not in request.headers):
            return Reply(_errors(DISABLED, 403), 403)
        refused = self._paced()
        headers = self._headers()
        reply = refused or super().handle(request)
        return Reply(reply.body, reply.status, headers | dict(reply.headers), reply.raw, reply.close)

    def _paced(self) -> Reply | None:
        now = self.clock()
        self._times = [at for at in self._times if at > now - WINDOW_S]
        if self.pace and (now < self._shut_until or len(self._times) >= self.limit):
            self._shut_until = max(self._shut_until, now + WINDOW_S) if now >= self._shut_until else self._shut_until
            headers = {"X-RateLimit-Reset": str(int(self._shut_until))}
            if self.retry_after:
                headers["Retry-After"] = str(int(self._shut_until - now))
            return Reply(_errors("Too Many Requests.", 429), 429, headers)
        self._times.append(now)
        return None

    def _headers(self) -> dict[str, str]:
        limit = self.told_limit or self.limit
        told = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(max(0, limit - len(self._times)))}
        return told | {"Date": formatdate(self.clock(), usegmt=True)}

    def _graphql(self, request: Request) -> Reply:
        if "json" not in request.headers.get("content-type", ""):
            return Reply(_errors("validation", 400), 400)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        body = request.json()
        document = None
        try:
            document = parse(body["query"])
        except GraphQLError as error:
            return Reply(_errors(error.message, 400), 400)
        if token and self.tokens.get(token, float("-inf")) <= self.clock():
            root = _fields(document.definitions[0])[0]
            return Reply(_errors("Invalid token", 400) | {"data": {root: None}}, 400)
        self.roots.signed_in = bool(token)
        if wrong := _invalid(body["query"]):
            return Reply(_errors(wrong, 400), 400)
        cost = _complexity(document, self.per_field)
        if cost > self.complexity:
            return Reply(_errors(f"Max query complexity should be {self.complexity} but got {cost}.", 400), 400)
        done = execute(schema(), document, root_value=self.roots, variable_values=body.get("variables") or {})
        assert isinstance(done, ExecutionResult)
        return self._result(done)

    def _result(self, done: ExecutionResult) -> Reply:
        if not done.errors:
            return Reply({"data": done.data})
        made = []
        for error in done.errors:
            cause = error.original_error
            status = cause.status if isinstance(cause, FieldError) else 400
            told: dict[str, Any] = {"message": error.message, "status": status}
            told["locations"] = [{"line": at.line, "column": at.column} for at in error.locations or ()]
            if isinstance(cause, FieldError) and cause.fields:
                told["validation"] = cause.fields
            if self.paths and error.path:
                told["path"] = error.path
            made.append(told)
        return Reply({"errors": made, "data": done.data}, made[0]["status"])


@cache
def _invalid(query: str) -> str | None:
    """What is wrong with a request, in the words of the service."""
    wrong = validate(schema(), parse(query))
    return wrong[0].message.replace("'", '"') if wrong else None


def asking(word: str, do: Do) -> Do:
    """A fault for those requests alone that have a word in them; the others go well."""

    def only(request: Request, handler: Handler) -> Reply | None:
        return do(request, handler) if word.encode() in request.body else handler(request)

    return only


def _errors(message: str, status: int) -> dict[str, Any]:
    return {"errors": [{"message": message, "status": status, "locations": [{"line": 1, "column": 1}]}], "data": None}


def _base64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _fields(node: Any) -> list[str]:
    return [(one.alias or one.name).value for one in node.selection_set.selections if isinstance(one, FieldNode)]


def _complexity(document: Any, per_field: int) -> int:
    """What a request costs: each field something, and what is below it."""
    fragments: Mapping[str, FragmentDefinitionNode] = {
        one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
    }

    def cost(node: Any) -> int:
        total = 0
        for one in node.selection_set.selections if node.selection_set else ():
            if isinstance(one, FragmentSpreadNode):
                total += cost(fragments[one.name.value])
            else:
                total += per_field * isinstance(one, FieldNode) + cost(one)
        return total

    return max(cost(one) for one in document.definitions if isinstance(one, OperationDefinitionNode))
