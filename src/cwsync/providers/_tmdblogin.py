"""Logging in at TMDb: a request token that a person approves in a browser, wherever there is one, and then a session.

A session does not end by itself. It is made once of a request token; if the answer with it is lost, a new login
has to be begun.

Source: https://developer.themoviedb.org/reference/authentication-how-do-i-generate-a-session-id (checked 2026-11-21).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import AccountSpec
from cwsync.provider import Person
from cwsync.providers._tmdbcalls import Calls, code_of
from cwsync.providers._tmdbwire import SESSION_CODES, decode_account, decode_until
from cwsync.tokens import Tokens, origin_of

APPROVE: Final = "https://www.themoviedb.org/authenticate/"
EVERY_S: Final = 5.0
_MOST: Final = timedelta(minutes=60)
# Not approved (yet): the two ways in which that is said.
_WAITING: Final = frozenset({17, 41})
# A session that is known no more.
_FORGOTTEN: Final = SESSION_CODES | {6, 34}
_TOKEN: Final = re.compile(r"[A-Za-z0-9._-]{8,500}")


async def login(account: AccountSpec, person: Person, calls: Calls) -> Tokens:
    """Show where to approve, wait until it was done, and prove that the session works."""
    token, minutes = await _request_token(account, calls, person.now())
    person.visit(f"{APPROVE}{token}", None, minutes)
    session = await _granted(account, calls, person, token, person.now() + timedelta(minutes=minutes))
    calls.use(session)
    number, name = await whoami(calls)
    return Tokens(
        account.name,
        account.provider,
        f"tmdb:{number}",
        origin_of(calls.address.api) or "",
        {"access": session},
        datetime.now(UTC),
        chosen={"name": name} if name else {},
    )


async def whoami(calls: Calls) -> tuple[int, str]:
    """The number and the name of the user who is logged in."""
    answer = await calls.get("/account")
    try:
        found = answer.json()
        number = decode_account(found)
    except ValueError:
        answer.garbled("it does not say whose account this is")
    name = found.get("username")
    return number, name if isinstance(name, str) else ""


async def _request_token(account: AccountSpec, calls: Calls, now: datetime) -> tuple[str, int]:
    """A token to be approved, and for how many minutes it is good."""
    answer = await calls.get("/authentication/token/new")
    found = answer.items(dict)
    token, until = found.get("request_token"), decode_until(found.get("expires_at"))
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise UnavailableError("the answer of TMDb holds no request token", where=account.name, hint="try again later")
    left = _MOST if until is None else min(_MOST, max(timedelta(minutes=1), until - (calls.date or now)))
    return token, max(1, int(left.total_seconds() // 60))


async def _granted(account: AccountSpec, calls: Calls, person: Person, token: str, until: datetime) -> str:
    """Ask every few seconds until it was approved, or its time is over."""
    from cwsync.http import LostAnswerError

    hint = f"begin again: cwsync auth login {account.name}"
    lost = False
    while person.now() < until:
        await person.wait(EVERY_S)
        try:
            answer = await calls.http.write("POST", "/authentication/session/new", json={"request_token": token})
            found = answer.json() if answer.ok else None
        except LostAnswerError:
            lost = True
            continue
        except UnavailableError:
            continue  # the token is good for an hour; a network may be back by then
        if answer.ok:
            return _session(account, found, hint)
        code = code_of(answer)
        if code == 33:
            why = "the answer with the session was lost" if lost else "the request was refused, or its time is over"
            raise AuthError(why, where=account.name, hint=hint)
        if code not in _WAITING:
            calls.refuse(answer)
    raise AuthError("it was not approved in time", where=account.name, hint=hint)


def _session(account: AccountSpec, found: object, hint: str) -> str:
    session = found.get("session_id") if isinstance(found, dict) else None
    if not isinstance(session, str) or not _TOKEN.fullmatch(session):
        raise UnavailableError("the answer of TMDb holds no session", where=account.name, hint=hint)
    return session


async def revoke(calls: Calls, tokens: Tokens) -> bool:
    """Have a session forgotten. One that TMDb does not know is forgotten already: `AuthError`."""
    from cwsync.http import LostAnswerError

    body = {"session_id": tokens.secret("access", calls.address.api)}
    try:
        answer = await calls.http.write("DELETE", "/authentication/session", json=body, idempotent=True)
        done = answer.items(dict).get("success") is True if answer.ok else False
    except LostAnswerError as error:
        raise UnavailableError(error.message, where=calls.address.account, hint="try again later") from error
    if code_of(answer) in _FORGOTTEN:
        raise AuthError("TMDb does not know the login (any more)", where=calls.address.account)
    if not answer.ok:
        try:
            calls.refuse(answer)
        except AuthError as error:  # of the application: the session is as good as it was
            raise UnavailableError(error.message, where=error.where, hint=error.hint) from error
    return done
