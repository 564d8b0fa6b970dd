"""What goes wrong between us and a service, and with clocks."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from cwsync.model import Item, Outcome
from property.ground import FIRED, films, names, picks
from property.machine import Accounts
from support.engine import HOUR, MINUTE, behave
from support.memory import calm


class Network(Accounts):
    """Lies."""

    @rule(minutes=st.sampled_from((1, 5, 16, 120, 26 * 60)))
    def wait(self, minutes: int) -> None:
        self.world.clock.tick(minutes * MINUTE)

    @rule(hours=st.sampled_from((0.05, 0.05, 1)))
    def clocks_are_put_back(self, hours: float) -> None:
        """Ours and those of the services: what we know of earlier runs is in the future then."""
        FIRED["clock back"] += 1
        span = hours * HOUR
        self.behind += span
        self.world.clock.tick(-span)

    @rule(name=names, minutes=st.sampled_from((-60, -4, 4, 60)))
    def a_clock_is_wrong(self, name: str, minutes: int) -> None:
        FIRED["skew"] += 1
        self.lies(name).skew = timedelta(minutes=minutes)

    @rule(name=names, flicker=st.booleans())
    def reads_lag_from_now_on(self, name: str, flicker: bool) -> None:
        FIRED["lag"] += bool(self.lag)
        self.lies(name).lag_for = self.lag
        self.lies(name).flicker = flicker

    @rule(name=names)
    def the_next_reply_is_lost(self, name: str) -> None:
        FIRED["lost reply"] += 1
        lies = self.lies(name)
        lies.lose_reply |= {lies.applies + 1}

    @rule(name=names)
    def the_next_request_fails(self, name: str) -> None:
        FIRED["failed write"] += 1
        lies = self.lies(name)
        lies.fail_apply |= {lies.applies + 1}

    @rule(name=names, film=films, outcome=st.sampled_from((Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.UNKNOWN)))
    def a_film_is_refused(self, name: str, film: Item, outcome: Outcome) -> None:
        FIRED["refused"] += 1
        self.lies(name).refuse = dict.fromkeys(film.ids, (outcome, "no"))

    @rule(name=names, film=films)
    def reads_are_short(self, name: str, film: Item) -> None:
        FIRED["short"] += 1
        self.lies(name).drop_tokens = frozenset(film.ids)

    @precondition(lambda self: self.world.pairs and self.profile.careful and not self.broken_in)
    @rule(name=names, pick=picks, film=films)
    def one_read_is_short_and_says_it_is_whole(self, name: str, pick: int, film: Item) -> None:
        """What `hold_removed` is for. The next read is honest: a provider that lies for ever is believed."""
        FIRED["unsaid"] += 1
        self.broken_in = True
        self.lies(name).unsaid = {self.feature(pick): frozenset(film.ids)}

    @rule(name=names, film=films, nameless=st.booleans())
    def a_row_is_garbled(self, name: str, film: Item, nameless: bool) -> None:
        FIRED["garbled"] += 1
        lies = self.lies(name)
        lies.garbled, lies.garbled_names = frozenset(film.ids), nameless

    @rule(name=names, count=st.sampled_from((1, 3)))
    def rows_come_twice(self, name: str, count: int) -> None:
        FIRED["repeat"] += 1
        self.lies(name).repeat = count

    @rule(name=names)
    def the_stamp_never_rests(self, name: str) -> None:
        FIRED["stamp"] += 1
        self.lies(name).unstable_watermark = True

    @rule(name=names, opens=st.booleans())
    def the_service_is_down_once(self, name: str, opens: bool) -> None:
        FIRED["down"] += 1
        lies = self.lies(name)
        lies.fail_opens, lies.fail_reads = int(opens), int(not opens)

    @rule(name=names)
    def all_is_well(self, name: str) -> None:
        lies = self.lies(name)
        hidden = lies.hidden
        behave(lies)
        calm(lies)
        lies.hidden = hidden
