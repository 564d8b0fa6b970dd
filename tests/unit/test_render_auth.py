"""What `auth` shows of logins, in words: names before ids, and how long they last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cwsync.model import LoginState, LoginStatus, LogoutReport
from cwsync.render.authout import login_page, logout_page, status_json, status_page
from cwsync.render.document import PLAIN
from cwsync.render.screen import show

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CHOSEN = {"name": "Owner", "server": "Living room", "machine": "bc02"}
LOGIN = LoginStatus(
    "home", "plex", LoginState.LOGGED_IN, "/state/tokens/home.json", "plex:bc02:1", NOW, None, chosen=CHOSEN
)


def text(page: list) -> str:  # type: ignore[type-arg]
    return show(page, PLAIN)


def test_names_come_before_ids_and_ids_when_asked_for() -> None:
    assert text(login_page(LOGIN, None, NOW)).splitlines()[0] == "home: logged in as Owner at Living room"
    full = text(login_page(LOGIN, None, NOW, full=True))
    assert full.splitlines()[0] == "home: logged in as Owner at Living room · plex:bc02:1 · machine bc02"
    assert "Owner at Living room" in text(status_page([LOGIN], NOW))
    assert "bc02" not in text(status_page([LOGIN], NOW))
    assert "machine bc02" in text(status_page([LOGIN], NOW, full=True))


def test_a_name_that_would_move_the_cursor_does_not() -> None:
    evil = LoginStatus(
        "home", "plex", LoginState.LOGGED_IN, chosen={"name": "\x1b]0;x\x07\u202e[red]"}, problem="\x1b[2J"
    )
    for page in (login_page(evil, "\x1b[2J", NOW, full=True), status_page([evil], NOW, full=True)):
        assert "\x1b" not in text(page)
        assert "[red]" in text(page)


def test_how_long_it_lasts() -> None:
    for left, renews, words in (
        (timedelta(days=6, hours=3), True, "2026-05-07 15:00 (6 days left), renews itself"),
        (timedelta(hours=3), False, "2026-05-01 15:00 (3 h left)"),
        (timedelta(days=-2), False, "2026-04-29 12:00 (2 days ago)"),
    ):
        one = LoginStatus("t", "trakt", LoginState.LOGGED_IN, expires_at=NOW + left, renews=renews)
        assert words in text(status_page([one], NOW))
    assert "it is revoked" in text(status_page([LOGIN], NOW))


def test_what_helps_stands_below_the_table() -> None:
    missing = LoginStatus("t", "trakt", LoginState.MISSING, hint="log in: cwsync auth login t", exit_code=6)
    assert text(status_page([missing], NOW)).endswith("log in: cwsync auth login t\n")
    accounts = status_json([missing], NOW, 6)["accounts"]
    assert isinstance(accounts, list)
    account = accounts[0]
    assert (account["state"], account["days_left"], account["hint"]) == ("missing", None, missing.hint)


def test_what_became_of_a_login() -> None:
    for report, words in (
        (LogoutReport("t", "trakt", forgotten=True, revoked=True), "t: the login is revoked and forgotten\n"),
        (LogoutReport("t", "trakt", forgotten=True, revoked=False), "forgotten; the service itself cannot be told"),
        (LogoutReport("t", "trakt", forgotten=True, revoked=False, problem="down"), "could not be revoked: down"),
        (LogoutReport("t", "trakt", forgotten=False), "t: was not logged in"),
    ):
        assert words in text(logout_page(report))
