"""`auth` as pages and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from cwsync.model import LoginState, LoginStatus, LogoutReport, format_when
from cwsync.render.document import Gap, Grid, Line, Page, Row, Tone
from cwsync.render.jsonout import Json, document
from cwsync.render.sanitise import sanitise
from cwsync.render.words import NOTHING, span, when


def status_page(statuses: Sequence[LoginStatus], now: datetime, *, full: bool = False) -> Page:
    """One row an account, then what is wrong and what helps; `full` with all ids."""
    header = ("account", "provider", "login", "as", "until", "kept in")
    rows = [_row(status, now, full=full) for status in statuses]
    page: Page = [Grid(header, rows, frozenset({0, 1}))]
    for status in statuses:
        if status.problem or status.hint:
            told = ": ".join(sanitise(text, 500) for text in (status.account, status.problem) if text)
            page.append(Line(told, Tone.ERROR) if status.problem else Gap())
            page += [Line(f"{sanitise(status.hint, 500)}", Tone.WARN, verbatim=True)] if status.hint else []
    return page


def _row(status: LoginStatus, now: datetime, *, full: bool) -> Row:
    cells = (
        status.account,
        status.provider,
        "a secret" if status.state is LoginState.REPLACED else status.state.value,
        sanitise(_who(status, full=full), 500) or NOTHING,
        _until(status, now),
        sanitise(status.comes_from, 200) or NOTHING,
    )
    return Row(cells, Tone.PLAIN if status.state.good else Tone.ERROR)


def _who(status: LoginStatus, *, full: bool = False) -> str:
    """``Owner at Living room`` where names are known, else the id; `full`: all of it."""
    chosen = status.chosen
    name = " at ".join(chosen[word] for word in ("name", "server") if chosen.get(word)) if chosen.get("name") else ""
    if not full:
        return name or status.account_id or ""
    rest = ", ".join(f"{word} {text}" for word, text in sorted(chosen.items()) if word not in ("name", "server"))
    return " · ".join(text for text in (name, status.account_id, rest) if text)


def _until(status: LoginStatus, now: datetime) -> str:
    """``2026-05-08 20:15 (6 days left), renews itself``."""
    if status.expires_at is None:
        return "it is revoked" if status.state in (LoginState.LOGGED_IN, LoginState.EXPIRED) else NOTHING
    left = status.expires_at - now
    told = f"{span(left)} left" if left > timedelta(0) else f"{span(-left)} ago"
    return f"{when(status.expires_at)} ({told})" + (", renews itself" if status.renews else "")


def status_json(statuses: Iterable[LoginStatus], now: datetime, exit_code: int) -> Json:
    """`auth status`."""
    return document("auth status", exit_code=int(exit_code), accounts=[_json(status, now) for status in statuses])


def login_json(status: LoginStatus, before: str | None, now: datetime) -> Json:
    """`auth login`."""
    return document("auth login", exit_code=0, replaced=before, **_json(status, now))


def _json(status: LoginStatus, now: datetime) -> Json:
    left = None if status.expires_at is None else round((status.expires_at - now).total_seconds() / 86400, 2)
    return {
        "account": status.account,
        "provider": status.provider,
        "state": status.state.name.lower().replace("_", "-"),
        "account_id": status.account_id,
        "comes_from": status.comes_from or None,
        "obtained_at": format_when(status.obtained_at),
        "expires_at": format_when(status.expires_at),
        "days_left": left,
        "renews": status.renews,
        "chosen": dict(status.chosen),
        "problem": status.problem,
        "hint": status.hint,
    }


def login_page(status: LoginStatus, before: str | None, now: datetime, *, full: bool = False) -> Page:
    """Who is logged in now, and until when; `full` with all ids."""
    page: Page = [Line(f"{status.account}: logged in as {sanitise(_who(status, full=full), 500)}", Tone.STRONG)]
    if status.expires_at is not None:
        page.append(Line(f"until {_until(status, now)}"))
    page.append(Line(f"kept in {sanitise(status.comes_from, 500)}"))
    if before is not None:
        told = f"before it was {sanitise(before)}: pairs of this account stop until their state is reset"
        page.append(Line(told, Tone.WARN))
    return page


def logout_page(report: LogoutReport) -> Page:
    """What became of the login."""
    if not report.forgotten:
        return [Line(f"{report.account}: was not logged in")]
    if report.problem is not None:
        told = f"the login is forgotten here, but could not be revoked: {sanitise(report.problem, 500)}"
        advice = "take cwsync off the list of connected apps on the website of the service"
        return [Line(f"{report.account}: {told}", Tone.WARN), Line(advice, Tone.WARN)]
    word = "revoked and forgotten" if report.revoked else "forgotten; the service itself cannot be told"
    return [Line(f"{report.account}: the login is {word}")]


def logout_json(report: LogoutReport) -> Json:
    """`auth logout`."""
    return document(
        "auth logout",
        exit_code=0,
        account=report.account,
        provider=report.provider,
        forgotten=report.forgotten,
        revoked=report.revoked,
        problem=report.problem,
    )
