"""The network for providers: one client for an account, careful retries, rate limits, paging, caps.

Provider authors start here::

    http = Http("trakt", origins=["https://api.trakt.tv"], headers={...}, timeout_s=30)
    answer = await http.get("/sync/ratings/movies", params={"page": 1, "limit": 250})
    if answer.status == 401: ...                    # judged by the provider's own `decode_` functions
    rows = answer.json()                            # a list or a dict; raises for anything that is no JSON
    await http.write("POST", "/sync/ratings", json={...})
    await http.aclose()

Reads are repeated while that is safe and time is left; writes only when they certainly never
arrived or were refused unprocessed. Redirects are never followed. No secret gets into a URL, an
exception, the log or the ledger. `httpx` is loaded by the first request.
"""

from cwsync.http.answer import Answer, LostAnswerError, RateLimit
from cwsync.http.bucket import Bucket
from cwsync.http.client import Call, Http
from cwsync.http.pages import Page, Whole, chain, pages, together
from cwsync.http.traffic import Traffic, recorded

__all__ = [
    "Answer",
    "Bucket",
    "Call",
    "Http",
    "LostAnswerError",
    "Page",
    "RateLimit",
    "Traffic",
    "Whole",
    "chain",
    "pages",
    "recorded",
    "together",
]
