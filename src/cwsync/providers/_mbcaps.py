"""What Jellyfin and Emby can hold and do, as data, each odd fact with its source."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from cwsync.model import Capabilities, Fact, Feature, FeatureCaps, Kind

_CHECKED: Final = "2026-11-21"
_PLAYABLE: Final = frozenset({Kind.MOVIE, Kind.EPISODE})
_TITLES: Final = frozenset({Kind.MOVIE, Kind.SHOW})
_SERVER: Final = "source of the server, 10.10.7 to 12.0-rc5"
_DOCUMENT: Final = "official document of 4.8.11 and 4.9.0.41"


def narrowed(caps: Capabilities, watchlist: frozenset[Kind]) -> Capabilities:
    """The same for an account whose watchlist holds these kinds alone."""
    features = dict(caps.features)
    features[Feature.WATCHLIST] = replace(caps.of(Feature.WATCHLIST), kinds=watchlist)
    return replace(caps, features=features)


def _fact(text: str, source: str) -> Fact:
    return Fact(text, source, _CHECKED)


def _caps(
    kinds: frozenset[Kind], *, update: bool = False, scores: tuple[int, ...] = (), keeps_date: bool = False
) -> FeatureCaps:
    return FeatureCaps(
        read=True,
        add=True,
        update=update,
        remove=True,
        kinds=kinds,
        scores=scores,
        precision_s=1 if keeps_date else 0,
        keeps_date=keeps_date,
        undated=True,
        idempotent_add=True,
        batch=100,
    )


_FEATURES: Final = {
    Feature.WATCHLIST: _caps(_TITLES),
    Feature.RATINGS: _caps(frozenset(Kind), update=True, scores=tuple(range(1, 101))),
    Feature.HISTORY: _caps(_PLAYABLE, keeps_date=True),
    Feature.PROGRESS: _caps(_PLAYABLE, update=True, keeps_date=True),
}
_BOTH: Final = (
    _fact("The watchlist is the user's favourites: films and shows of the library, without a date.", _SERVER),
    _fact("It may be a playlist or a collection that exists: `watchlist` and `watchlist_name` say so.", _SERVER),
    _fact("A playlist takes the episodes of a show in its place, so as a watchlist it has films alone.", _SERVER),
    _fact("A collection is seen by every user of the server, and needs the right to manage collections.", _SERVER),
    _fact("A title that is in no library cannot be held; it is no failure of others and tried again later.", _SERVER),
    _fact("A row has the date of one play. Its count counts starts and marks, so nothing is read from it.", _SERVER),
    _fact("A file of several episodes has one mark for all: written only when it is meant for all of them.", _SERVER),
    _fact("A rating has no date, and the apps of the makers show none.", _SERVER),
)

JELLYFIN_CAPS: Final = Capabilities(
    title="Jellyfin",
    features=_FEATURES,
    staleness=timedelta(minutes=15),
    facts=(
        *_BOTH,
        _fact("There is no stamp of changes that knows what users did, so each run reads all rows.", "issue 17542"),
        _fact("There is no way to ask for a title by an id of another service.", f"{_SERVER}; scrob issue 247"),
        _fact("Likes and dislikes are ratings of 10 and 1: which of the two it was is not kept.", _SERVER),
        _fact("A date or a rating cannot be cleared by a write, only by removing the mark or the rating.", _SERVER),
        _fact("Up to 10.11 a title that is begun again is not marked as played any more.", "issues 14351, 10984"),
        _fact("From 12.0 on only the header Authorization: MediaBrowser is taken.", "issue 17245"),
    ),
)

EMBY_CAPS: Final = Capabilities(
    title="Emby",
    features=_FEATURES,
    staleness=timedelta(minutes=15),
    facts=(
        *_BOTH,
        _fact(
            "A write of user data replaces what it does not name, so all of it is read, merged and sent.", "scrob #168"
        ),
        _fact(
            "Dates and counts of plays come only when they are asked for by name.", "CrossWatch #1047, capacitarr #25"
        ),
        _fact('Whether ratings are kept is not known of any live server: off unless `ratings = "on"`.', _DOCUMENT),
        _fact("A play that is older than the one before may keep the newer date.", "CrossWatch, backdate option"),
        _fact("A row that is gone is answered with 500, not with 404.", "CrossWatch #896"),
    ),
)
