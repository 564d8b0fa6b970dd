"""`mappings` as pages and as JSON."""

from __future__ import annotations

from datetime import datetime

from cwsync.model import format_when
from cwsync.model.mappings import STALE, About, Kept, Updated
from cwsync.render.document import Line, Page, Tone
from cwsync.render.jsonout import Json, document
from cwsync.render.sanitise import sanitise
from cwsync.render.words import count, span, when

UPDATE = "cwsync mappings update"


def status_page(kept: Kept, now: datetime, *, full: bool = False) -> Page:
    """How the mapping is, and what helps when there is none, or an old one; `full` with what it leaves out."""
    if kept.problem is not None:
        told = f"the mapping cannot be used: {sanitise(kept.problem, 500)}"
        return [Line(told, Tone.ERROR), Line(f"hint: {_hint(kept, now)}", verbatim=True), _where(kept)]
    if kept.about is None:
        return [
            Line("there is no mapping; only pairs with anime want one"),
            Line(f"hint: {_hint(kept, now)}", verbatim=True),
        ]
    page: Page = [*_about(kept.about, now, full=full), _where(kept)]
    hint = _hint(kept, now)
    return [*page, Line(f"hint: {hint}", Tone.WARN, verbatim=True)] if hint else page


def _hint(kept: Kept, now: datetime) -> str | None:
    if kept.newer:
        return f"upgrade cwsync, or remove the file and get it again: {UPDATE}"
    if kept.problem is not None:
        return f"get it again: {UPDATE}"
    if kept.about is None:
        return f"get it: {UPDATE}"
    if kept.about.is_stale(now):
        return f"nobody asked for a newer one for more than {STALE.days} days: {UPDATE}"
    return None


def _where(kept: Kept) -> Line:
    return Line(f"kept in {sanitise(str(kept.path), None)}, {count(kept.size, 'byte')}", verbatim=True)


def _about(about: About, now: datetime, *, full: bool) -> Page:
    made = f"made {when(about.generated_on)}" if about.generated_on else "made nobody says when"
    asked = f"last asked for a newer one {_ago(about.checked_at, now)}"
    page: Page = [
        Line(f"{count(about.sources, 'title')}, {count(about.links, 'link')}, {made}; {asked}", Tone.STRONG),
        Line(f"version {sanitise(about.version)} from {sanitise(about.url, 500)}", verbatim=True),
    ]
    if full:
        page += [Line(f"not used: {n:,} {sanitise(word)}", indent=2) for word, n in about.skipped.items()]
    return page


def _ago(at: datetime, now: datetime) -> str:
    return f"{span(now - at)} ago"


def status_json(kept: Kept, now: datetime, exit_code: int) -> Json:
    """`mappings status`."""
    state = "none"
    if kept.problem is not None:
        state = "newer" if kept.newer else "damaged"
    elif kept.about is not None:
        state = "stale" if kept.about.is_stale(now) else "good"
    return document(
        "mappings status",
        exit_code=exit_code,
        state=state,
        path=str(kept.path),
        size=kept.size,
        problem=kept.problem,
        hint=_hint(kept, now),
        mapping=_json(kept.about, now),
    )


def _json(about: About | None, now: datetime) -> Json | None:
    if about is None:
        return None
    return {
        "url": about.url,
        "version": about.version,
        "generated_on": format_when(about.generated_on),
        "fetched_at": format_when(about.fetched_at),
        "checked_at": format_when(about.checked_at),
        "age_days": round((now - (about.generated_on or about.fetched_at)).total_seconds() / 86400, 2),
        "download_bytes": about.n_bytes,
        "titles": about.sources,
        "links": about.links,
        "skipped": dict(about.skipped),
    }


def update_page(done: Updated, now: datetime, *, full: bool = False) -> Page:
    """What an update did."""
    if not done.new:
        first = "nothing newer: the mapping that is here is the newest"
    elif done.before is None:
        first = "a mapping is here now"
    else:
        change = done.about.sources - done.before.sources
        first = f"a newer mapping is here now ({change:+,} titles)" if change else "a newer mapping is here now"
    return [Line(first), *_about(done.about, now, full=full)]


def update_json(done: Updated, now: datetime) -> Json:
    """`mappings update`."""
    return document(
        "mappings update",
        exit_code=0,
        updated=done.new,
        path=str(done.path),
        before=_json(done.before, now),
        mapping=_json(done.about, now),
    )
