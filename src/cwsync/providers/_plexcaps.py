"""What Plex can hold and do, as data, each odd fact with its source."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from cwsync.model import Capabilities, Fact, Feature, FeatureCaps, Kind

_PLAYABLE: Final = frozenset({Kind.MOVIE, Kind.EPISODE})
_CHECKED: Final = "2026-11-21"
FACTS: Final = (
    Fact(
        "The date of a play cannot be given: what is marked as watched was watched just now.",
        "official document of the media server 1.2.0; python-plexapi issues 1365 and 1374",
        _CHECKED,
    ),
    Fact(
        "Marking a title that is marked already counts a second play, so only unwatched titles are marked.",
        "recorded state machine of plex-api.rs; reports to several clients",
        _CHECKED,
    ),
    Fact(
        "Taking a title out of the history forgets all of its plays and its position.",
        "official document of the media server 1.2.0",
        _CHECKED,
    ),
    Fact(
        "A position behind 90 % counts as a play, and that of a watched title cannot be cleared: neither is written.",
        "server preference LibraryVideoPlayedThreshold; watchstate",
        _CHECKED,
    ),
    Fact(
        "A title that is watched leaves the watchlist by itself.",
        "PlexTraktSync issue 2457",
        _CHECKED,
    ),
    Fact(
        "The stamp counts rows and looks at the twenty newest; two changes that cancel out behind those "
        "(a title replaced in the library, say) are seen by the daily full read.",
        "media queries of the official document",
        _CHECKED,
    ),
)


def _caps(
    kinds: frozenset[Kind], *, update: bool = False, scores: tuple[int, ...] = (), batch: int = 100
) -> FeatureCaps:
    return FeatureCaps(
        read=True,
        add=True,
        update=update,
        remove=True,
        kinds=kinds,
        scores=scores,
        precision_s=1,
        keeps_date=False,
        undated=True,
        idempotent_add=True,
        batch=batch,
        stamp_moves_on_removal=True,
    )


CAPABILITIES: Final = Capabilities(
    title="Plex",
    features={
        Feature.WATCHLIST: _caps(frozenset({Kind.MOVIE, Kind.SHOW}), batch=20),
        Feature.RATINGS: _caps(frozenset(Kind), update=True, scores=tuple(range(1, 101))),
        Feature.HISTORY: _caps(_PLAYABLE),
        Feature.PROGRESS: _caps(_PLAYABLE, update=True),
    },
    staleness=timedelta(minutes=15),
    drops_from_watchlist=frozenset({Feature.HISTORY}),
    named_by=frozenset({"plex", "imdb", "tmdb", "tvdb", "anidb"}),
    facts=FACTS,
)
