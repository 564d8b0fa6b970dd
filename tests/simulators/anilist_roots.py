"""The fields of AniList's schema that the simulator resolves, over `anilist_world`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simulators.anilist_world import NO_DATE, SHOWN, STATUSES, STORED, Listed, Title, World

PAGE: Final = 50
CHUNK: Final = 500


class FieldError(Exception):
    """An error of one field, as AniList words it. `fields` are those of a failed validation."""

    def __init__(self, message: str, status: int, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.fields = fields


def not_found() -> FieldError:
    return FieldError("Not Found.", 404)


class Roots:
    """`signed_in` says whether the request came with a token of the user.

    `refused` maps titles to what their mutations fail with; `largest` is how many entries come at
    once; `fills` lets COMPLETED fill in progress and date; `rounds` keeps scores on the grid of the account.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.signed_in = True
        self.refused: dict[int, FieldError] = {}
        self.largest = 11_000
        self.fills = self.rounds = False
        self.frozen: list[dict[str, Any]] | None = None

    # --- reading --------------------------------------------------------------------------------

    def Viewer(self, _info: Any) -> Any:
        if not self.signed_in:
            raise FieldError("Unauthorized.", 401)
        return self._user()

    def User(self, _info: Any, **args: Any) -> Any:
        if args.get("id") != self.world.user_id and args.get("name") != self.world.name:
            raise not_found()
        return self._user()

    def _user(self) -> dict[str, Any]:
        world = self.world
        options = {"scoreFormat": world.score_format, "animeList": {"customLists": world.custom_lists}}
        more = {"options": {"timezone": world.timezone}, "mediaListOptions": options}
        return {"id": world.user_id, "name": world.name} | more

    def MediaListCollection(self, _info: Any, **args: Any) -> Any:
        if args.get("type") is None:
            raise FieldError("validation", 400, {"type": ["The type field is required."]})
        if args.get("userId") != self.world.user_id and args.get("userName") != self.world.name:
            raise not_found()
        return self.collection(args)

    def collection(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The groups of one chunk, or of as many entries as come at once."""
        groups = self.frozen if self.frozen is not None else self.rows()
        wanted = args.get("status")
        chunked = args.get("chunk") is not None
        size = min(args.get("perChunk") or CHUNK, CHUNK) if chunked else self.largest
        first = (max(1, args.get("chunk") or 1) - 1) * size
        if args["type"] != "ANIME":
            groups = []
        every = [one["id"] for group in groups for one in group["entries"] if wanted in (None, one["status"])]
        unique = list(dict.fromkeys(every))
        within = set(unique[first : first + size])
        lists = [group | {"entries": [one for one in group["entries"] if one["id"] in within]} for group in groups]
        more = chunked and len(unique) > first + size
        return {"lists": [one for one in lists if one["entries"]], "user": self._user(), "hasNextChunk": more}

    def rows(self) -> list[dict[str, Any]]:
        """The lists as they are now."""
        return [group | {"entries": [self.row(one) for one in group["entries"]]} for group in self.world.groups()]

    def MediaList(self, _info: Any, **args: Any) -> Any:
        found = self.world.entries.get(args.get("mediaId") or 0) or self.world.by_id(args.get("id") or 0)
        if found is None:
            raise not_found()
        return self.row(found)

    def Media(self, _info: Any, **args: Any) -> Any:
        found = [one for one in self.world.titles.values() if _fits(one, args)]
        if not found:
            raise not_found()
        return self.title(found[0])

    def Page(self, _info: Any, **args: Any) -> Any:
        size, page = min(args.get("perPage") or PAGE, PAGE), max(1, args.get("page") or 1)

        def media(_info: Any, **wanted: Any) -> Any:
            found = [one for one in self.world.titles.values() if _fits(one, wanted)]
            return [self.title(one) for one in found[(page - 1) * size : page * size]]

        # What AniList tells of totals is made up; only `hasNextPage` counts.
        return {"media": media, "pageInfo": {"total": 5000, "perPage": size, "currentPage": page, "lastPage": 100}}

    def title(self, one: Title) -> dict[str, Any]:
        def entry(_info: Any) -> Any:
            held = self.world.entries.get(one.id) if self.signed_in else None
            return None if held is None else self.row(held)

        start = {"year": one.year, "month": None, "day": None}
        names = {"romaji": one.name, "english": None}
        made: dict[str, Any] = {"id": one.id, "idMal": one.mal, "title": names, "type": one.type}
        made |= {"format": one.format}
        made |= {"status": one.status, "episodes": one.episodes, "seasonYear": one.year, "startDate": start}
        return made | {"mediaListEntry": entry}

    def row(self, one: Listed) -> dict[str, Any]:
        """An entry as it is now, whatever becomes of it later."""
        raw, own = one.score, self.world.score_format
        made: dict[str, Any] = {"id": one.id, "userId": self.world.user_id, "mediaId": one.title.id}
        made |= {"status": one.status, "progress": one.progress, "repeat": one.repeat, "private": one.private}
        made |= {"notes": one.notes, "hiddenFromStatusLists": one.hidden, "media": self.title(one.title)}
        made |= {"startedAt": dict(one.started), "completedAt": dict(one.completed)}
        made |= {"createdAt": one.created_at, "updatedAt": one.updated_at}
        held = {name: name in one.custom for name in self.world.custom_lists}
        made["customLists"] = lambda _info, **args: _lists(held, as_array=args.get("asArray", False))
        made["score"] = lambda _info, **args: SHOWN[args.get("format", own)](raw)
        return made

    # --- writing --------------------------------------------------------------------------------

    def SaveMediaListEntry(self, _info: Any, **args: Any) -> Any:
        self._need_user()
        held = self._meant(args)
        self._validate(args)
        return self.row(self._save(held, args))

    def UpdateMediaListEntries(self, _info: Any, **args: Any) -> Any:
        self._need_user()
        self._validate(args)
        found = [one for number in args.get("ids") or () if (one := self.world.by_id(number)) is not None]
        return [self.row(self._save(one, args)) for one in found]

    def DeleteMediaListEntry(self, _info: Any, **args: Any) -> Any:
        self._need_user()
        held = self.world.by_id(args.get("id") or 0)
        if held is None:
            raise not_found()
        self._refuse(held.title)
        del self.world.entries[held.title.id]
        return {"deleted": True}

    def _need_user(self) -> None:
        if not self.signed_in:
            raise FieldError("Unauthorized.", 401)

    def _refuse(self, title: Title) -> None:
        if title.id in self.refused:
            raise self.refused[title.id]

    def _meant(self, args: Mapping[str, Any]) -> Listed:
        """The entry that a save is about; made when only the title is given."""
        if args.get("id") is not None:
            held = self.world.by_id(args["id"])
            if held is None:
                raise FieldError("You are not authorized to modify this MediaList", 403)
            self._refuse(held.title)
            return held
        title = self.world.titles.get(args.get("mediaId") or 0)
        if title is None:
            raise FieldError("validation", 400, {"mediaId": ["The selected media id is invalid."]})
        self._refuse(title)
        return self.world.entries.get(title.id) or Listed(0, title)

    def _validate(self, args: Mapping[str, Any]) -> None:
        limits = {"scoreRaw": 100, "score": 100, "repeat": 1000, "progress": 1_000_000}
        wrong = {
            name: [f"The {name} may not be greater than {most}."]
            for name, most in limits.items()
            if args.get(name) is not None and not 0 <= args[name] <= most
        }
        if wrong:
            raise FieldError("validation", 400, wrong)

    def _save(self, held: Listed, args: Mapping[str, Any]) -> Listed:
        world = self.world
        held = held if held.id else world.entry(held.title, created_at=world.now())
        before = held.status
        for name in ("status", "progress", "repeat", "private", "notes"):
            if name in args:
                setattr(held, name, args[name])
        assert held.status in STATUSES
        if "hiddenFromStatusLists" in args:
            held.hidden = args["hiddenFromStatusLists"]
        if "customLists" in args:
            held.custom = set(args["customLists"] or ()) & set(world.custom_lists)
        if "score" in args:
            held.score = STORED[world.score_format](args["score"])
        if "scoreRaw" in args:
            held.score = args["scoreRaw"]
        if self.rounds:
            held.score = STORED[world.score_format](SHOWN[world.score_format](held.score))
        for name, target in (("startedAt", "started"), ("completedAt", "completed")):
            if name in args:
                setattr(held, target, NO_DATE | (args[name] or {}))
        if self.fills and held.status == "COMPLETED" != before:
            held.progress = held.title.episodes or held.progress
            if "completedAt" not in args:
                held.completed = {"year": 2026, "month": 11, "day": 21}
        held.updated_at = max(held.updated_at + 1, world.now())
        return held


def _lists(held: dict[str, bool], *, as_array: bool) -> Any:
    return [{"name": name, "enabled": on} for name, on in held.items()] if as_array else held


def _fits(one: Title, args: Mapping[str, Any]) -> bool:
    """Whether a title is what a query asks for. Numbers of MyAnimeList stand for an anime and for a manga."""
    wanted = {"id": one.id, "idMal": one.mal, "type": one.type}
    if any(args.get(name) not in (None, value) for name, value in wanted.items()):
        return False
    return one.id in args.get("id_in", (one.id,)) and one.mal in args.get("idMal_in", (one.mal,))
