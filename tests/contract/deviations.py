"""What a provider does otherwise than the suite wants, each with its reason.

provider -> test of the suite -> why that is right for this service. A deviation that no longer
happens fails the suite, so this file never holds more than is true.
"""

from __future__ import annotations

from collections.abc import Mapping

DEVIATIONS: Mapping[str, Mapping[str, str]] = {
    "anilist": {},
    "csv": {},
    "emby": {},
    "jellyfin": {},
    "memory": {},
    "plex": {},
    "simkl": {},
    "tmdb": {},
    "tracker": {},
    "trakt": {},
}
