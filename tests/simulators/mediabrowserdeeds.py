"""What users of a simulated Jellyfin or Emby did with titles: how it is kept, changed, and shown late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulators.mediabrowsertitles import SECOND, State, Title, User


class Deeds:
    """What each user did with each title.

    With `shared` it is kept by the ids of a title, so that its copies share it (Jellyfin until 10.10), but
    for those that the server has read since it began (`restart`); else each row has its own. `grain` is the
    finest part of a time that is kept, in ticks. `playing` is what is played now, by the ids of user and
    row; with `start_unmarks` a title that is played again is unplayed until that ends. With `joined` the
    versions of a title are told as one (Jellyfin from 12).

    Listings lag behind the writes of requests by `lag_s` seconds of the clock and by `lag_reads` scans (a
    scan begins with a page at 0); single rows do not, but for as many looks at one as `lag_looks` says.
    """

    def __init__(self, now: Callable[[], float], grain: int) -> None:
        self.now = now
        self.grain = grain
        self.shared = False
        self.start_unmarks = True
        self.joined = False
        self.playing: set[tuple[str, str]] = set()
        self.version = 0
        self.users: dict[str, User] = {}
        self.lag_s = 0.0
        self.lag_reads = 0
        self.lag_looks = 0
        self.reads = 0
        self._lagging: dict[tuple[str, str], tuple[State, float, int]] = {}
        self._unseen: dict[tuple[str, str], tuple[State, int]] = {}

    def _kept(self, user: User, row: Title) -> State | None:
        if not self.shared:
            return user.states.get(row.id)
        found = (user.states.get(f"{row.kind}:{key}") for key in row.data_keys())
        return next((one for one in found if one is not None), None)

    def peek(self, user: User, row: Title) -> State:
        """What a user did with a row, for looking only."""
        return user.cached.get(row.id) or self._kept(user, row) or _NOTHING

    def read(self, user: User, row: Title) -> State:
        """The same for an answer of the server, which keeps what it read."""
        if self.shared and row.id not in user.cached:
            user.cached[row.id] = replace(self._kept(user, row) or _NOTHING)
        return self.peek(user, row)

    def state(self, user: User, row: Title) -> State:
        """What a user did with a row, for changing it as well."""
        self.version += 1
        if not self.shared:
            return user.states.setdefault(row.id, State())
        found = user.cached[row.id] = user.cached.get(row.id) or replace(self._kept(user, row) or _NOTHING)
        user.states |= {f"{row.kind}:{key}": found for key in row.data_keys()}
        return found

    def other(self, user: User, row: Title) -> State:
        """What a user did with the second version of a row."""
        self.version += 1
        return user.states.setdefault(f"{row.id}:2", State())

    def joins(self, user: User, row: Title, state: State) -> State:
        """What is told of a row that has versions: played when the one that was played last is, and since when."""
        other = user.states.get(f"{row.id}:2") if self.joined and row.versions > 1 else None
        if other is None or not (other.played or other.position):
            return state
        if (state.played or state.position) and (other.at or 0) <= (state.at or 0):
            return state
        position = 0 if other.played and not other.position else state.position
        at = max((one for one in (state.at, other.at) if one is not None), default=None)
        return replace(state, played=state.played or other.played, at=at, position=position)

    def restart(self) -> None:
        """Have the server forget what it had read."""
        for user in self.users.values():
            user.cached.clear()
        self.version += 1

    def clear(self, user: User) -> None:
        """Have a user never have done anything."""
        user.states.clear()
        user.cached.clear()
        self._lagging.clear()
        self._unseen.clear()
        self.version += 1

    def change(self, user: User, row: Title) -> State:
        """The same for a request that writes: listings may show what was there for a while (`lag_s`, `lag_reads`)."""
        state = self.state(user, row)
        if self.lag_s or self.lag_reads:
            shown, *_ = self._lagging.get((user.id, row.id), (replace(state),))
            self._lagging[user.id, row.id] = (shown, self.now() + self.lag_s, self.reads + self.lag_reads)
        if self.lag_looks:
            shown, _ = self._unseen.get((user.id, row.id), (replace(state), 0))
            self._unseen[user.id, row.id] = (shown, self.lag_looks)
        state.saved = self.now()
        return state

    def looked(self, user: User, row: Title) -> State:
        """What a look at a single row shows: a few times what was there before the last write (`lag_looks`)."""
        shown, looks = self._unseen.get((user.id, row.id), (None, 0))
        if shown is None:
            return self.read(user, row)
        if looks > 1:
            self._unseen[user.id, row.id] = (shown, looks - 1)
        else:
            del self._unseen[user.id, row.id]
        return shown

    def settle(self) -> None:
        """Let every listing and every row show what is there."""
        self._lagging.clear()
        self._unseen.clear()
        self.version += 1

    def begin_read(self) -> None:
        """A scan begins: one read more, and what is late enough is shown."""
        self.reads += 1
        now = self.now()
        for key, (_, due, reads) in list(self._lagging.items()):
            if now >= due and self.reads > reads:
                del self._lagging[key]
                self.version += 1

    def listed(self, user: User, row: Title) -> State:
        """What a listing shows of a row."""
        if self._lagging:
            late = self._lagging.get((user.id, row.id))
            if late is not None:
                return late[0]
        return self.read(user, row)

    def grained(self, at: int | None) -> int | None:
        """A time as it is kept."""
        return None if at is None else at - at % self.grain

    def mark(self, user: User, row: Title, at: int | None = None) -> None:
        """Mark as played: once more when a time is given. Of a series, everything in it."""
        for leaf in row.leaves():
            state = self.change(user, leaf)
            state.count = max(1, state.count + (at is not None))
            state.at = self.grained(at if at is not None else state.at or self.ticks())
            state.played, state.position = True, 0
            if self.joined and leaf.versions > 1:
                other = self.other(user, leaf)
                other.played, other.position = True, 0

    def unmark(self, user: User, row: Title) -> None:
        """Mark as never played."""
        for leaf in row.leaves():
            state = self.change(user, leaf)
            state.played, state.count, state.position, state.at = False, 0, 0, None
            if self.joined and leaf.versions > 1:
                user.states.pop(f"{leaf.id}:2", None)

    # --- playing --------------------------------------------------------------------------------

    def start(self, user: User, row: Title, at: int | None = None) -> None:
        """A playback begins: one play more, and until Jellyfin 10.11 the title is unplayed again."""
        state = self.state(user, row)
        state.count, state.at, state.saved = state.count + 1, self.grained(at or self.ticks()), self.now()
        state.played = state.played and not self.start_unmarks
        self.playing.add((user.id, row.id))

    def stop(self, user: User, row: Title, position: int) -> None:
        """It ends at a position, in ticks: nothing before 5 %, a play behind 90 %."""
        state, percent = self.state(user, row), position * 100 / row.runtime
        state.saved = self.now()
        self.playing.discard((user.id, row.id))
        if percent > 90 or row.runtime < 300 * SECOND:
            state.played, state.position = True, 0
        else:
            state.position = position if percent >= 5 else 0

    def play(self, user: User, row: Title, at: int | None = None) -> None:
        """Watch all of it."""
        self.start(user, row, at)
        self.stop(user, row, row.runtime)

    def ticks(self) -> int:
        """The time now."""
        return int(self.now() * 1000) * 10_000


_NOTHING = State()
