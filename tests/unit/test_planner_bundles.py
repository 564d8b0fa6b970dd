"""Putting rows together that share an id or a place: who is joined, and what that takes."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from cwsync.model import Entry, ExternalId, Feature, Item, Kind, Play, Side, Undecoded
from cwsync.planner.bundles import Bundles
from cwsync.planner.identity import link
from support.planning import episode, snapshot


def some_ids(kind: Kind) -> st.SearchStrategy[tuple[ExternalId, ...]]:
    """Few ids, so that many are shared."""
    texts = [ExternalId(f"{service}_{kind}:{number}") for service in ("tvdb", "tmdb") for number in (1, 2)]
    return st.lists(st.sampled_from(texts), max_size=2, unique=True).map(tuple)


PLACE = st.none() | st.integers(0, 1)
ITEMS = st.sampled_from([Kind.SHOW, Kind.SEASON, Kind.EPISODE]).flatmap(
    lambda kind: (
        st.builds(Item, st.just(kind), some_ids(kind))
        if kind is Kind.SHOW
        else st.builds(
            Item, st.just(kind), some_ids(kind), st.none(), st.none(), some_ids(Kind.SHOW), PLACE, PLACE
        )
    )
)  # fmt: skip


@given(st.lists(ITEMS, max_size=12))
def test_rows_are_joined_exactly_when_a_chain_of_shared_ids_and_places_leads_from_one_to_the_other(items: list[Item]):
    nodes = [Entry(item, Play()) for item in items]
    bundles = Bundles(nodes)
    forest, homes = bundles.planted(nodes), bundles.homes(len(nodes))
    for number, item in enumerate(items):
        reached, names = {number}, set(item.tokens())
        if not names:
            continue  # nothing is known of it, or of an episode its show alone
        while more := {n for n, one in enumerate(items) if n not in reached and not names.isdisjoint(one.tokens())}:
            reached |= more
            names.update(*(items[n].tokens() for n in more))
        assert reached == {n for n in range(len(items)) if forest.find(homes[n]) == forest.find(homes[number])}


def test_linking_made_a_text_of_each_place_and_each_id_of_a_show():
    """Most of what a large run held at its peak was made for linking, and thrown away after it."""
    shows = [" ".join(f"{service}:{show}" for service in ("imdb", "tmdb", "tvdb")) for show in range(1, 41)]
    held = [episode(show, 1, number) for show in shows for number in range(1, 101)]
    begun = [Undecoded("row", "begun", episode("tvdb:900", 1, number), f"begun {number}") for number in range(1, 11)]
    source, target = (
        snapshot([Entry(item, Play(), str(n)) for n, item in enumerate(held)], Feature.HISTORY, lingering=tuple(begun))
        for _ in Side
    )
    tracemalloc.start()
    records = link(source, target, [])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(records) == len(held)
    assert peak / len(held) < 1000
