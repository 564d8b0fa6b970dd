"""Rows, filters, sorting and pages of a simulated Plex server; and XML for those who do not ask for JSON.

Strict: a filter or a sort that the server does not know is a 400, and so is a page above 1,000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from simulators.plexworld import EPISODE, MOVIE, SEASON, SHOW, State, Title, User, World
from support.httpserver import Reply, Request

Row = dict[str, Any]
MAX_PAGE = 1000


class RefusedError(Exception):
    """The server answers with this status and a page for people."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


# --- rows -----------------------------------------------------------------------------------------


def row_of(world: World, user: User, row: Title, *, guids: bool) -> Row:
    """A row as a listing tells it to `user`."""
    state = world.state(user, row)
    below = "" if row.type in (MOVIE, EPISODE) else "/children"
    made: Row = {
        "ratingKey": str(row.key),
        "key": f"/library/metadata/{row.key}{below}",
        "guid": row.guid,
        "type": row.name,
        "title": row.title,
        "summary": f"What happens in {row.title}.",
        "year": row.year,
        "index": row.index,
        "editionTitle": row.edition,
        "originallyAvailableAt": row.aired,
        "addedAt": row.added_at,
        "updatedAt": row.added_at,
        "deletedAt": row.deleted_at,
        "userRating": state.rating,
        "lastRatedAt": state.rated_at,
    }
    if row.type in (MOVIE, EPISODE):
        made |= _played(row, state)
    else:
        leaves = row.leaves()
        seen = [world.state(user, leaf) for leaf in leaves]
        made |= {"leafCount": len(leaves), "viewedLeafCount": sum(bool(one.views) for one in seen)}
        made |= {"viewCount": sum(one.views for one in seen) or None, "childCount": len(row.children)}
        made["lastViewedAt"] = max((one.viewed_at for one in seen if one.viewed_at), default=None)
    made |= _family(row)
    if guids and row.guids:
        made["Guid"] = [{"id": one} for one in row.guids]
    return {name: value for name, value in made.items() if value is not None}


def _played(row: Title, state: State) -> Row:
    part = {"id": row.key, "duration": row.duration_ms, "file": f"/media/{row.key}.mkv", "container": "mkv"}
    return {
        "duration": row.duration_ms,
        "viewCount": state.views or None,
        "lastViewedAt": state.viewed_at,
        "viewOffset": state.offset or None,
        "Media": [{"id": row.key, "duration": row.duration_ms, "container": "mkv", "Part": [part]}],
    }


def _family(row: Title) -> Row:
    if row.parent is None:
        return {}
    show = row.show
    if row.type == SEASON:
        return {
            "parentRatingKey": str(show.key),
            "parentKey": f"/library/metadata/{show.key}",
            "parentGuid": show.guid,
            "parentTitle": show.title,
            "parentYear": show.year,
            "parentIndex": 1,
        }
    made: Row = {
        "grandparentRatingKey": str(show.key),
        "grandparentKey": f"/library/metadata/{show.key}",
        "grandparentGuid": show.guid,
        "grandparentTitle": show.title,
        "parentIndex": row.parent.index,
        "parentTitle": row.parent.title,
        "parentGuid": row.parent.guid,
    }
    if show.flat:
        return made | {"skipParent": True}
    return made | {"parentRatingKey": str(row.parent.key), "parentKey": f"/library/metadata/{row.parent.key}"}


# --- filters, sorting, pages ----------------------------------------------------------------------

_NUMBERS: Mapping[str, Callable[[World, User, Title, State], float]] = {
    "viewCount": lambda world, user, row, _: world.views(user, row),
    "lastViewedAt": lambda _w, _u, _r, state: state.viewed_at or 0,
    "viewOffset": lambda _w, _u, _r, state: state.offset,
    "userRating": lambda _w, _u, _r, state: -1 if state.rating is None else state.rating,
    "lastRatedAt": lambda _w, _u, _r, state: state.rated_at or 0,
    "addedAt": lambda _w, _u, row, _: row.added_at,
    "updatedAt": lambda _w, _u, row, _: row.added_at,
    "year": lambda _w, _u, row, _: row.year or 0,
    "id": lambda _w, _u, row, _: row.key,
}
# Not about rows, but about what is told of them.
_MANNERS = frozenset(
    [
        "type",
        "sort",
        "includeGuids",
        "excludeElements",
        "excludeFields",
        "includeCollections",
        "includeExternalMedia",
        "includeAdvanced",
        "includeMeta",
        "limit",
        "X-Plex-Container-Start",
        "X-Plex-Container-Size",
        "X-Plex-Token",
        "includePreferences",
    ]
)
_OF = {"movie": MOVIE, "show": SHOW, "season": SEASON, "episode": EPISODE}


def select(world: World, user: User, rows: Iterable[Title], request: Request, kind: int) -> list[Title]:
    """The rows that a listing asks for, in its order. Raises `RefusedError` (400) for what is not known."""
    found = list(rows)
    for name, text in request.query.items():
        if name not in _MANNERS:
            found = _filtered(world, user, found, name, text, kind)
    for part in reversed([one for one in request.query.get("sort", "addedAt").split(",") if one]):
        field, _, way = part.partition(":")
        plain = _unprefixed(field)
        if plain == "titleSort":
            found.sort(key=lambda row: row.title.casefold(), reverse=way == "desc")
            continue
        if plain not in _NUMBERS or way not in ("", "asc", "desc"):
            raise RefusedError(400)
        number = _NUMBERS[plain]
        found.sort(key=lambda row: number(world, user, row, world.state(user, row)), reverse=way == "desc")
    return found[: int(request.query.get("limit") or len(found))]


def _unprefixed(field: str) -> str:
    scope, dot, plain = field.partition(".")
    return plain if dot and scope in _OF else field


def _filtered(world: World, user: User, rows: list[Title], name: str, text: str, kind: int) -> list[Title]:
    plain = _unprefixed(name)
    if plain == "unwatched":
        if name == plain and kind == EPISODE:
            return []  # without its prefix this filter has been seen to find no episode
        return [row for row in rows if bool(world.views(user, row)) == (text == "0")]
    if plain == "inProgress":
        return [row for row in rows if bool(world.state(user, row).offset) == (text == "1")]
    if plain == "guid":
        return [row for row in rows if row.guid == text]
    if plain == "title":
        return [row for row in rows if text.casefold() in row.title.casefold()]
    if plain == "trash":
        return [row for row in rows if (row.deleted_at is not None) == (text == "1")]
    bare, operator = plain.rstrip("<>!"), plain[len(plain.rstrip("<>!")) :]
    if bare not in _NUMBERS or operator not in ("", "!", ">>", "<<"):
        raise RefusedError(400)
    number, limit = _NUMBERS[bare], float(text)
    compare = {
        "": lambda value: value == limit,
        "!": lambda value: value != limit,
        ">>": lambda value: value > limit,
        "<<": lambda value: value < limit,
    }[operator]
    return [row for row in rows if compare(number(world, user, row, world.state(user, row)))]


def window(request: Request, total: int, largest: int = MAX_PAGE, usual: int | None = None) -> tuple[int, int, bool]:
    """Where a page begins, how long it may be, and whether one was asked for. Raises `RefusedError` (400)."""

    def asked(name: str) -> str | None:
        return request.headers.get(name.lower()) or request.query.get(name)

    start, size = asked("X-Plex-Container-Start"), asked("X-Plex-Container-Size")
    if size is None:
        return int(start or 0), usual if usual is not None else total, usual is not None
    if int(size) > largest:
        raise RefusedError(400)
    return int(start or 0), int(size), True


# --- answers --------------------------------------------------------------------------------------


def thin(request: Request, rows: list[Row]) -> list[Row]:
    """Rows without what the client does not want."""
    query = request.query
    out = {*query.get("excludeElements", "").split(","), *query.get("excludeFields", "").split(",")}
    return [{name: value for name, value in row.items() if name not in out} for row in rows] if out else rows


def told(
    request: Request,
    name: str,
    body: Row | list[Any],
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An answer as JSON for those who ask for it, else as XML with `name` as its root."""
    if "application/json" in request.headers.get("accept", ""):
        wrapped = {name: body} if name == "MediaContainer" else body
        return Reply(wrapped, status, headers or {})
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + xml(name, body)
    return Reply(text.encode(), status, {"Content-Type": "text/xml;charset=utf-8", **(headers or {})})


_INNER = {"connections": "connection", "users": "User", "resources": "resource", "features": "feature"}


def xml(name: str, body: Any) -> str:
    """A JSON value as Plex writes it in XML: scalars are attributes, objects are elements."""
    if isinstance(body, list):
        return f"<{name}>{''.join(xml(_INNER.get(name, name), one) for one in body)}</{name}>"
    if not isinstance(body, dict):
        return f"<{name} id={quoteattr(str(body))}/>"
    attributes, children = [], []
    for key, value in body.items():
        if isinstance(value, dict):
            children.append(xml(key, value))
        elif isinstance(value, list):
            inside = "".join(xml(_element(key, one), one) for one in value)
            children.append(f"<{key}>{inside}</{key}>" if key in _INNER else inside)
        elif value is not None:
            text = str(int(value)) if isinstance(value, bool) else str(value)
            attributes.append(f" {key}={quoteattr(text)}")
    return f"<{name}{''.join(attributes)}>{''.join(children)}</{name}>"


def _element(key: str, value: Any) -> str:
    if key == "Metadata" and isinstance(value, dict):
        return "Directory" if value.get("type") in ("show", "season") else "Video"
    return _INNER.get(key, key)
