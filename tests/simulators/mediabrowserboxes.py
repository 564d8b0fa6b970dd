"""Playlists and collections of a simulated Jellyfin or Emby: what is in them, and who may change it.

Source: Jellyfin's PlaylistsController, PlaylistManager and CollectionController (10.11), Emby's OpenAPI documents, and
what CrossWatch does with them (checked 2026-11-21).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulators.mediabrowserlogin import Token
from simulators.mediabrowserrows import Look, RefusedError, Row, row_of
from simulators.mediabrowserworld import BOXSET, PLAYLIST, Title, User
from support.httpserver import Request

if TYPE_CHECKING:
    from simulators.mediabrowser import MediaBrowser


class Boxes:
    """Knobs: `collectors` are the ids of users who may change collections, besides administrators. `forgets`: a
    Jellyfin puts in again what is there, as it does now and then. `editors`: ids of users who may change playlists
    of others. `refuses_keys`: a Jellyfin looks for the playlist of whoever takes something out, and a key is nobody.
    """

    def __init__(self, server: MediaBrowser) -> None:
        self._server = server
        self.collectors: set[str] = set()
        self.editors: set[str] = set()
        self.forgets = False
        self.refuses_keys = False

    def serve(self) -> None:
        """Answer at the paths of both."""
        serve, emby = self._server.serve, self._server.dialect.emby
        serve("GET", "/Playlists/{list}/Items", self._members)
        for place, add, take in (
            ("Playlists", self._add, self._take),
            ("Collections", self._collect, self._let_go),
        ):
            serve("POST", f"/{place}/{{list}}/Items", add)
            serve("DELETE", f"/{place}/{{list}}/Items", take)
            if emby:
                serve("POST", f"/{place}/{{list}}/Items/Delete", take)

    # --- playlists ------------------------------------------------------------------------------

    def _playlist(self, request: Request, token: Token) -> tuple[Title, User | None]:
        """The playlist that is meant, and who looks at it. A key that names nobody sees what anybody sees."""
        user = self._server.user(token, self._server.query(request).text("userid"))
        found = self._server.row(user, request.args["list"])
        if found.kind != PLAYLIST:
            raise self._server.gone()
        return found, user

    def _members(self, request: Request, token: Token) -> Row:
        playlist, user = self._playlist(request, token)
        query = self._server.query(request)
        found = self._server.world.inside(playlist)
        start, limit = query.number("startindex") or 0, query.number("limit")
        part = found[start:] if limit is None else found[start : start + limit]
        look = self._server.look(user, query)
        rows = [self._member(look, number, row) for number, row in part if row.id not in self._server.hidden]
        return self._server.listing(rows, len(found), start)

    def _member(self, look: Look, number: str, row: Title) -> Row:
        """A row of a playlist. The entry has the id of the row at a Jellyfin, a number of its own at an Emby."""
        return row_of(look, row) | {"PlaylistItemId": number if look.dialect.emby else row.id}

    def _may_edit(self, playlist: Title, user: User | None) -> None:
        if user is not None and playlist.owner is not user and user.id not in self.editors:
            raise RefusedError(403)

    def _add(self, request: Request, token: Token) -> Any:
        """At the end; of what is a folder all that can be played. A Jellyfin passes over what is there already."""
        playlist, user = self._playlist(request, token)
        user = self._server.writing(token, user)
        self._may_edit(playlist, user)
        emby, inside = self._server.dialect.emby, {row.id for _, row in playlist.entries}
        leaves = [leaf for row in self._rows(request, user) for leaf in row.leaves()]
        if not emby and not self.forgets:
            leaves = [leaf for leaf in dict.fromkeys(leaves) if leaf.id not in inside]
        if self._server.heard():
            self._server.world.put_in(playlist, *leaves)
        return {"Id": playlist.id, "ItemAddedCount": len(leaves)} if emby else None

    def _take(self, request: Request, token: Token) -> None:
        """By the ids of entries; those that are not there are passed over."""
        playlist, user = self._playlist(request, token)
        self._locked()
        if self.refuses_keys and token.user is None:
            raise RefusedError(404)
        self._may_edit(playlist, token.user or user)
        entries, emby = set(self._server.query(request).words("entryids")), self._server.dialect.emby
        if self._server.heard():
            gone = [row for number, row in playlist.entries if (number if emby else row.id) in entries]
            kept = [one for one in playlist.entries if (one[0] if emby else one[1].id) not in entries]
            self._server.world.take_out(playlist, *gone)
            playlist.entries[:] = kept

    def _rows(self, request: Request, user: User | None) -> list[Title]:
        """The rows that a request names. At a Jellyfin those that are not there are passed over."""
        found = []
        for key in self._server.query(request).words("ids"):
            try:
                found.append(self._server.row(user, key))
            except RefusedError:
                if self._server.dialect.emby:
                    raise
        return found

    # --- collections ----------------------------------------------------------------------------

    def _collection(self, request: Request, token: Token) -> Title:
        self._locked()
        if not token.powerful and (token.user is None or token.user.id not in self.collectors):
            raise RefusedError(403)
        try:
            found = self._server.row(None, request.args["list"])
        except RefusedError:
            raise self._unknown() from None
        if found.kind != BOXSET:
            raise self._unknown()
        return found

    def _unknown(self) -> RefusedError:
        return RefusedError(400, "No collection exists with the supplied Id")

    def _collect(self, request: Request, token: Token) -> None:
        box, rows = self._collection(request, token), []
        for key in self._server.query(request).words("ids"):
            try:
                rows.append(self._server.row(None, key))
            except RefusedError:
                raise RefusedError(400, "No item exists with the supplied Id") from None
        inside = {row.id for _, row in box.entries}
        if self._server.heard():
            self._server.world.put_in(box, *(row for row in dict.fromkeys(rows) if row.id not in inside))

    def _let_go(self, request: Request, token: Token) -> None:
        """An Emby deletes a collection with its last title."""
        box = self._collection(request, token)
        keys = set(self._server.query(request).words("ids"))
        if self._server.heard():
            self._server.world.take_out(box, *(row for _, row in list(box.entries) if row.id in keys))
            if not box.entries and self._server.dialect.emby:
                self._server.world.remove(box)

    def _locked(self) -> None:
        self._server.trips()
