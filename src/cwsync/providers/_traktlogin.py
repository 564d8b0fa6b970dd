"""Logging in at Trakt by a device code: a person enters it in a browser, wherever there is one.

Source: https://github.com/trakt/trakt-api (contract of 2026-07-30, oauth/device) (checked 2026-11-21).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from cwsync.errors import AuthError, UnavailableError
from cwsync.model import AccountSpec
from cwsync.provider import Person
from cwsync.providers._devicecode import Device, decode_device
from cwsync.providers._traktcalls import Calls, decode_token
from cwsync.providers._traktwire import decode_account
from cwsync.tokens import Tokens, origin_of

_ENDS: Final = {
    404: "Trakt does not know the code any more",
    409: "the code was used already",
    410: "the code was not entered in time",
    418: "it was refused in the browser",
}


async def login(account: AccountSpec, person: Person, calls: Calls) -> Tokens:
    """Show a code, wait until it was entered, and prove that the tokens work."""
    address = calls.address
    application = calls.application()
    url = f"{address.auth}/oauth/device/code"
    answer = await calls.http.write("POST", url, json={"client_id": address.client_id}, idempotent=True)
    if not answer.ok:
        calls.refuse(answer)
    try:
        device = decode_device(answer.json(), "verification_url")
    except ValueError as error:
        _senseless(account, error)
    person.visit(device.url, device.user_code, max(1, device.seconds // 60))
    blank = Tokens(
        account.name,
        account.provider,
        "trakt",
        origin_of(address.api) or "",
        {"access": "none yet"},
        datetime.now(UTC),
        chosen={"auth_origin": origin_of(address.auth) or ""},
    )
    tokens = await _granted(calls, device, application, person, blank)
    return await _proved(account, tokens, calls)


async def _granted(calls: Calls, device: Device, application: dict[str, str], person: Person, blank: Tokens) -> Tokens:
    """Ask every few seconds, slower when told so, until the code was entered or its time is over."""
    from cwsync.http import LostAnswerError

    where, hint = calls.address.account, f"begin again: cwsync auth login {calls.address.account}"
    until = person.now() + timedelta(seconds=device.seconds)
    interval = device.interval
    while person.now() < until:
        await person.wait(interval)
        body = {"code": device.code} | application
        try:
            answer = await calls.http.write(
                "POST", f"{calls.address.auth}/oauth/device/token", json=body, repeat_refused=False
            )
        except (LostAnswerError, UnavailableError):
            continue  # the code is good for minutes; a network may be back by then
        if answer.ok:
            try:
                return decode_token(answer.json(), blank)
            except ValueError as error:
                raise UnavailableError(f"the login makes no sense: {error}", where=where, hint=hint) from error
        if answer.status == 429:
            interval += 5
        elif answer.status in _ENDS:
            raise AuthError(_ENDS[answer.status], where=where, hint=hint)
        elif answer.status != 400 or b"invalid_client" in answer.body:  # 400 without a body: not entered yet
            calls.refuse(answer)
    raise AuthError(_ENDS[410], where=where, hint=hint)


async def _proved(account: AccountSpec, tokens: Tokens, calls: Calls) -> Tokens:
    """The tokens with the user they are for."""
    headers = {"Authorization": f"Bearer {tokens.secret('access', calls.address.api)}"}
    answer = await calls.http.get(f"{calls.address.api}/users/settings", headers=headers)
    if not answer.ok:
        calls.refuse(answer)
    try:
        name = decode_account(answer.json()).name
    except ValueError as error:
        _senseless(account, error)
    return replace(tokens, account_id=f"trakt:{name}")


def _senseless(account: AccountSpec, error: ValueError) -> NoReturn:
    raise UnavailableError(f"the answer of Trakt makes no sense: {error}", where=account.name) from error
