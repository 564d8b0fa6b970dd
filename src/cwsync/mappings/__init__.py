"""Anime: which entry of AniList or MyAnimeList is which film, show, season and episode elsewhere.

A data set that others keep (AniBridge, MIT licence) is fetched with ``cwsync mappings update`` and kept in the
state folder. It is never fetched by a run, and pairs without anime need none::

    graph = open_graph(state_dir)                       # None: there is none; reading it touches nothing
    mappings = Mappings(Overrides(rules, graph))        # rules of a pair, laid over it
    fuller = mappings.complete(items)                   # only where one choice is left
    mappings.notes                                      # what was left out, and why

Everything but `store` and `fetch` is pure.
"""

from cwsync.mappings.complete import MappingNote, Mappings
from cwsync.mappings.links import Graph, MemoryGraph
from cwsync.mappings.overrides import Overrides, RuleError
from cwsync.mappings.store import URL, look, mapping_path, open_graph, update

__all__ = [
    "URL",
    "Graph",
    "MappingNote",
    "Mappings",
    "MemoryGraph",
    "Overrides",
    "RuleError",
    "look",
    "mapping_path",
    "open_graph",
    "update",
]
