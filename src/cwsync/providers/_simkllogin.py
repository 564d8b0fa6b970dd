"""Logging in at SIMKL by a device code (V2): a person enters it in a browser, wherever there is one.

A login that may only read is given without a word when the scope is misspelt or taken away, and fails at the
first write; so the scope is looked at here. A person who says no is not told of: the code just ends.

Source: https://api.simkl.org (authentication V2, since 2026-09-18) (checked 2026-11-21).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final, NoReturn

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import AccountSpec
from cwsync.provider import Person
from cwsync.providers._devicecode import Device, decode_device
from cwsync.providers._simklcalls import Calls, decode_token, error_word
from cwsync.providers._simklwire import decode_account
from cwsync.tokens import Tokens, origin_of

SCOPE: Final = "media:read media:write"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_S: Final = 5


async def login(account: AccountSpec, person: Person, calls: Calls) -> Tokens:
    """Show a code, wait until it was entered, and prove that the tokens work."""
    from cwsync.http import LostAnswerError

    try:
        answer = await calls.send("POST", "/oauth2/device", None, calls.form(scope=SCOPE))
    except LostAnswerError as error:
        raise UnavailableError(error.message, where=account.name, hint="try again later") from error
    if not answer.ok:
        calls.refuse(answer)
    try:
        device = decode_device(answer.json())
    except ValueError as error:
        _senseless(account, error)
    person.visit(device.url, device.user_code, max(1, device.seconds // 60))
    blank = Tokens(
        account.name,
        account.provider,
        "simkl",
        origin_of(calls.address.api) or "",
        {"access": "none yet"},
        person.now(),
        chosen={"client_id": calls.address.client_id},
    )
    return await _proved(account, await _granted(calls, device, person, blank), calls)


async def _granted(calls: Calls, device: Device, person: Person, blank: Tokens) -> Tokens:
    """Ask every few seconds, slower when told so, until the code was entered or its time is over."""
    from cwsync.http import LostAnswerError

    where, hint = calls.where, f"begin again: cwsync auth login {calls.where}"
    until = person.now() + timedelta(seconds=device.seconds)
    interval = device.interval
    form = calls.form(grant_type=_GRANT, device_code=device.code)
    while person.now() < until:
        await person.wait(interval)
        try:
            answer = await calls.send("POST", "/oauth2/token", None, form)
        except (LostAnswerError, UnavailableError):
            continue  # the code is good for minutes; a network may be back by then
        if answer.ok:
            return _allowed(answer.json(), blank, person, where, hint)
        word = error_word(answer)
        if word == "slow_down":
            interval += _SLOWER_S
        elif word == "expired_token":
            break
        elif word != "authorization_pending":
            calls.refuse(answer)
    raise AuthError("the code was not entered in time, or it was refused", where=where, hint=hint)


def _allowed(found: object, blank: Tokens, person: Person, where: str, hint: str) -> Tokens:
    """The tokens of an answer. Raises `AuthError` when they may not do what we need."""
    try:
        tokens, scope = decode_token(found, blank, person.now())
    except ValueError as error:
        raise UnavailableError(f"the login makes no sense: {error}", where=where, hint=hint) from error
    lacks = sorted(set(SCOPE.split()) - set(scope.split()))
    if lacks:
        raise AuthError(f"the login lacks the right {', '.join(lacks)}", where=where, hint=hint)
    return replace(tokens, chosen={**tokens.chosen, "scope": " ".join(sorted(scope.split()))})


async def _proved(account: AccountSpec, tokens: Tokens, calls: Calls) -> Tokens:
    """The tokens with the user they are for."""
    access = tokens.secret("access", calls.address.api)
    answer = await calls.send("GET", "/users/settings", token=access)
    if not answer.ok:
        calls.refuse(answer)
    try:
        number, name, plan = decode_account(answer.json())
    except ValueError as error:
        _senseless(account, error)
    chosen = {**tokens.chosen, "plan": plan} | ({"name": name} if name else {})
    return replace(tokens, account_id=f"simkl:{number}", chosen=chosen)


def _senseless(account: AccountSpec, error: ValueError) -> NoReturn:
    raise UnavailableError(f"the answer of SIMKL makes no sense: {error}", where=account.name) from error
