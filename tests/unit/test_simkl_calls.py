"""How SIMKL is asked: what every request has, four ways of being too fast, refusals, logins that end, the quota."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import AuthError, ConfigError, CwsyncError, UnavailableError
from cwsync.model import AccountSpec, Feature
from cwsync.provider import Examines, Finding, Services
from cwsync.providers._simkladdress import LEAST_TIMEOUT_S, address_of
from cwsync.providers._simklnotes import Notes, next_reset
from cwsync.providers.simkl import Simkl as Provider
from simulators.simkl import CLIENT_ID, OLD_CLIENT_ID, Simkl
from simulators.simkl_account import connected, logged_in, spec, use
from support import world
from support.httpserver import answer, drop_after, html, status
from support.network import Clock, Time

RATINGS = Feature.RATINGS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> Iterator[Simkl]:
    with Simkl(now=clock) as made:
        made.titles.add(world.movie(1))
        yield made


async def stamp(provider: Provider) -> str | None:
    return await provider.watermark(RATINGS)


async def rate(provider: Provider) -> str:
    (receipt,) = await provider.apply(RATINGS, [world.change(RATINGS, world.movie(1), None, world.rated(8))])
    return receipt.outcome.value


# --- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"client_id": None}, "needs `client_id`"),
        ({"client_id": " "}, "needs `client_id`"),
        ({"api_url": "simkl"}, "is not an address"),
        ({"api_url": "http://simkl.example"}, "https://"),
        ({"write_spacing_ms": -1}, "0 to 60000"),
        ({"read_spacing_ms": "fast"}, "0 to 60000"),
    ],
)
def test_settings_that_can_never_work(options: dict[str, object], words: str) -> None:
    given = {"client_id": "c"} | options
    with pytest.raises(ConfigError, match=words):
        Provider(AccountSpec("mine", "simkl", given), Services())


def test_a_write_is_given_the_time_that_a_lock_takes() -> None:
    assert address_of(AccountSpec("mine", "simkl", {"client_id": "c"})).timeout_s == LEAST_TIMEOUT_S >= 60
    slow = AccountSpec("mine", "simkl", {"client_id": "c"}, timeout=timedelta(minutes=3))
    assert address_of(slow).timeout_s == 180


# --- every request ---------------------------------------------------------------------------------


def test_every_request_says_who_asks(service: Simkl) -> None:
    service.expire()

    async def everything(provider: Provider) -> None:
        for feature in (Feature.HISTORY, RATINGS, Feature.WATCHLIST):
            await provider.fetch(feature)
        await rate(provider)

    use(service, everything, keeper=logged_in(service))
    secrets = [secret for one in service.grants for secret in (one.access, one.refresh)]
    for request in service.log:
        assert request.query["client_id"] == CLIENT_ID
        assert (request.query["app-name"], bool(request.query["app-version"])) == ("cwsync", True)
        assert request.headers["user-agent"].startswith("cwsync/")
        assert (request.method != "GET") == bool(request.body)
        assert not [secret for secret in secrets if secret in request.target]


def test_requests_go_one_after_another_and_not_too_fast(service: Simkl) -> None:
    time = Time()

    async def step(provider: Provider) -> None:
        await asyncio.gather(*(provider.fetch(one) for one in (Feature.HISTORY, RATINGS, Feature.WATCHLIST)))
        await rate(provider)

    use(service, step, time=time, write_spacing_ms=1100, read_spacing_ms=400)
    assert len(service.log) == 7
    assert service.connections == 1
    # Five reads to read the library, another before the write: each but the first waits its turn.
    assert [round(seconds, 3) for seconds in time.slept] == [0.4] * 5


# --- too fast --------------------------------------------------------------------------------------


def test_a_burst_is_waited_out_in_seconds_whatever_it_says(service: Simkl) -> None:
    service.bursts = 2
    time = Time()
    assert use(service, stamp, time=time) is not None
    assert time.slept == [1.5, 3.0]


def test_a_burst_that_does_not_end_is_left_for_later(service: Simkl) -> None:
    service.bursts = 50
    with pytest.raises(UnavailableError, match="asks too much at once"):
        use(service, stamp)
    assert len(service.log) == 4


def test_a_lock_of_another_write_is_waited_for(service: Simkl) -> None:
    service.locks = 2
    time = Time()
    assert use(service, rate, time=time) == "confirmed"
    assert time.slept == [4.0, 4.0]
    service.user.unrate(service.titles.add(world.movie(1)))
    service.locks = 50
    with pytest.raises(UnavailableError, match="another application is writing"):
        use(service, rate)


def test_a_lock_that_is_told_in_other_words(service: Simkl) -> None:
    body = {"error": "rate_limit", "error_description": "Another sync is in progress for this user."}
    service.fault(status(400, body), method="POST", path="^/sync/ratings")
    assert use(service, rate) == "confirmed"


@pytest.mark.parametrize("old", [False, True])
def test_a_quota_that_is_used_up_ends_the_run(service: Simkl, clock: Clock, tmp_path: Path, old: bool) -> None:
    token = service.old_login() if old else None
    more: dict[str, Any] = {"token": token, "client_id": OLD_CLIENT_ID} if old else {}
    use(service, stamp, folder=tmp_path, **more)
    service.used = service.quota
    service.forget()
    with pytest.raises(UnavailableError, match="daily quota of this " + ("application" if old else "user")) as caught:
        use(service, stamp, folder=tmp_path, **more)
    assert "by this installation" in caught.value.message
    assert "it starts anew at" in (caught.value.hint or "")
    assert len(service.log) == 1
    service.used = 0
    with pytest.raises(UnavailableError, match="daily quota"):
        use(service, stamp, folder=tmp_path, dry=True, **more)
    assert len(service.log) == 1, "it is known until when, so it is not asked again"
    clock.at += 86400
    assert use(service, stamp, folder=tmp_path, **more)


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "body", "kind", "words"),
    [
        (412, {"error": "client_id_failed"}, AuthError, "client_id"),
        (400, {"error": "unauthorized_client"}, ConfigError, "another kind"),
        (403, {"error": "insufficient_scope"}, AuthError, "may only read"),
        (403, {"error": "forbidden"}, AuthError, "does not take the login"),
        (404, {"error": "url_failed"}, UnavailableError, "404"),
        (200, {"error": "premium_only"}, UnavailableError, "PRO and VIP"),
        (200, {"error": "odd"}, UnavailableError, "answered 200"),
        (500, {"error": "server"}, UnavailableError, "500"),
    ],
)
def test_a_refusal_has_words(
    service: Simkl, code: int, body: dict[str, str], kind: type[CwsyncError], words: str
) -> None:
    service.fault(status(code, body), path="^/sync", times=None)
    with pytest.raises(kind, match=words) as caught:
        use(service, stamp)
    assert caught.value.hint
    assert caught.value.where


def test_a_quota_that_nobody_else_used_is_not_said_to_be_used_by_others(service: Simkl, tmp_path: Path) -> None:
    service.quota = 3
    for _ in range(2):
        with pytest.raises(UnavailableError) as caught:
            use(service, stamp, folder=tmp_path)
        assert "(3, all by this installation)" in caught.value.message
    assert examined(service, folder=tmp_path)[-1].text.startswith("3 of 3 of today used, 3 by this installation")
    service.used, service.quota = 0, 500
    (tmp_path / "mine-simkl-notes.json").unlink()
    use(service, stamp, folder=tmp_path)
    service.used = 500
    with pytest.raises(UnavailableError, match="of 500 by this installation, the rest by others"):
        use(service, stamp, folder=tmp_path)


def test_an_application_that_is_suspended_is_asked_once_for_all_features(service: Simkl) -> None:
    service.suspended = True

    async def everything(provider: Provider) -> None:
        for feature in (Feature.HISTORY, RATINGS, Feature.WATCHLIST):
            with pytest.raises(AuthError, match="client_id") as caught:
                await provider.fetch(feature)
            assert "suspended" in (caught.value.hint or "")
        with pytest.raises(AuthError, match="client_id"):
            await rate(provider)

    use(service, everything)
    assert len(service.log) == 1


def test_an_application_that_is_suspended_is_left_alone(service: Simkl) -> None:
    service.suspended = True
    with pytest.raises(AuthError, match="client_id") as caught:
        use(service, stamp)
    assert "suspended" in (caught.value.hint or "")
    assert len(service.log) == 1


# --- logins that end -------------------------------------------------------------------------------


def test_a_login_is_renewed_once_and_keeps_its_refresh_token(service: Simkl) -> None:
    keeper = logged_in(service)
    assert keeper.tokens is not None
    before = dict(keeper.tokens.secrets)
    service.expire()
    assert use(service, stamp, keeper=keeper)
    assert keeper.n_refreshed == 1
    assert service.calls().count("POST /oauth2/token") == 1
    assert keeper.tokens.secrets["refresh"] == before["refresh"]
    assert keeper.tokens.secrets["access"] != before["access"]


def test_a_renewal_whose_answer_got_lost_is_asked_for_again(service: Simkl) -> None:
    keeper = logged_in(service)
    service.expire()
    service.fault(drop_after(), path="^/oauth2/token")
    assert use(service, stamp, keeper=keeper)
    assert service.calls().count("POST /oauth2/token") == 2


def test_a_login_that_is_gone_says_what_to_do(service: Simkl) -> None:
    keeper = logged_in(service)
    service.grants.clear()
    with pytest.raises(AuthError, match="does not take the login") as caught:
        use(service, stamp, keeper=keeper)
    assert caught.value.hint == "log in again: cwsync auth login mine"
    with pytest.raises(AuthError, match="another client_id"):
        use(service, stamp, keeper=keeper, client_id="another")


def test_a_token_of_the_file_is_never_renewed(service: Simkl) -> None:
    token = service.old_login()
    assert use(service, stamp, token=token, client_id=OLD_CLIENT_ID)
    service.old_tokens.clear()
    with pytest.raises(AuthError, match="access_token") as caught:
        use(service, stamp, token=token, client_id=OLD_CLIENT_ID)
    assert token not in f"{caught.value} {caught.value.hint}"
    granted = service.login().access
    assert use(service, stamp, token=granted), "one of the new kind will do as well"


def test_whose_a_token_is_is_asked_once(service: Simkl, tmp_path: Path) -> None:
    token = service.old_login()
    for _ in range(2):
        use(service, stamp, token=token, client_id=OLD_CLIENT_ID, folder=tmp_path)
    assert service.calls().count("GET /users/settings") == 1
    kept = (tmp_path / "mine-simkl-notes.json").read_text()
    assert token not in kept
    other = service.old_login()
    use(service, stamp, token=other, client_id=OLD_CLIENT_ID, folder=tmp_path)
    assert service.calls().count("GET /users/settings") == 2
    for fault in (html(200), answer_without_account()):
        service.fault(fault, path="^/users/settings")
        with pytest.raises(UnavailableError):
            use(service, stamp, token=service.old_login(), client_id=OLD_CLIENT_ID)


def answer_without_account() -> Any:
    from support.httpserver import Reply

    return answer(Reply({"user": {"name": "Kim"}}))


# --- the quota -------------------------------------------------------------------------------------


def examined(service: Simkl, *steps: Callable[[Provider], Any], **more: Any) -> list[Finding]:
    async def step(provider: Provider) -> list[Finding]:
        for one in steps:
            await one(provider)
        assert isinstance(provider, Examines)
        return list(await provider.examine())

    return use(service, step, **more)


def test_the_quota_is_counted_across_runs_and_told(service: Simkl, clock: Clock, tmp_path: Path) -> None:
    keeper = logged_in(service)
    use(service, stamp, folder=tmp_path, keeper=keeper)
    plan, requests = examined(service, folder=tmp_path, dry=True, keeper=keeper)
    assert (plan.text, requests.ok) == ("free", True)
    assert requests.text.startswith("5 of 500 of today used, 5 by this installation; anew at ")
    clock.at += 60
    service.used = 490
    _, requests = examined(service, stamp, folder=tmp_path, keeper=keeper)
    assert not requests.ok, "a twentieth or less is left"
    assert requests.text.startswith("491 of 500 of today used, 6 by this installation")
    clock.at += 86400
    assert examined(service, folder=tmp_path)[-1].text.startswith("0 of 500 of today used by this installation")


def test_without_a_word_of_simkl_the_plan_says_how_large_the_quota_is(service: Simkl) -> None:
    service.user.plan = "vip"
    service.forget()
    assert examined(service)[-1].text.startswith("0 of 10,000 of today used by this installation")
    assert not service.log


@pytest.mark.parametrize(
    ("now", "reset"),
    [("2026-11-21T12:00:00", "2026-11-22T05:00:00"), ("2026-07-01T03:59:00", "2026-07-01T04:00:00")],
)
def test_the_quota_starts_anew_at_midnight_in_new_york(now: str, reset: str) -> None:
    found = next_reset(datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(reset).replace(tzinfo=UTC)


def test_notes_that_are_damaged_are_begun_anew(tmp_path: Path) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    path = tmp_path / "notes.json"
    notes = Notes(path, path)
    notes.load(now)
    notes.count(now)
    notes.own("digest", "simkl:1")
    until = notes.spend(now, timedelta(hours=3))
    notes.save()
    again = Notes(path, path)
    again.load(now)
    assert (again.used, again.owners, again.spent(now)) == (1, {"digest": "simkl:1"}, until)
    assert again.spent(now + timedelta(hours=3)) is None
    assert again.spend(now, timedelta(days=400)) == next_reset(now), "nothing is closed for longer than a day"
    path.write_bytes(path.read_bytes().replace(b'"used":1', b'"used":0'))
    damaged = Notes(path, path)
    damaged.load(now)
    assert (damaged.used, damaged.owners, damaged.spent(now)) == (0, {}, None)


def test_an_account_has_no_words_for_its_secrets(service: Simkl) -> None:
    provider = connected(service)
    secret = service.grants[-1].refresh
    form = provider._calls.form(refresh_token=secret)
    assert secret not in f"{form!r} {form} {[form]}"
    assert spec(service).name in repr(provider._calls)
