"""`explain`, `status`, `check`, `reset-state`, `pairs`, `accounts` and `capabilities` for people."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

from cwsync.model import (
    AccountSpec,
    Capabilities,
    CheckReport,
    Entry,
    ErrorReport,
    ExplainReport,
    Fact,
    Feature,
    FeatureCaps,
    FeatureSpec,
    Kind,
    Mark,
    MarkKind,
    Mode,
    Op,
    PairSpec,
    Parked,
    Rated,
    Row,
    SecretRef,
    Side,
    Sighting,
    StatusReport,
    TraceReport,
    Undecoded,
)
from cwsync.render.diagpage import check_page, explain_page, reset_page, status_page
from cwsync.render.document import PLAIN, Page
from cwsync.render.jsonlists import accounts_json, capabilities_json, pairs_json
from cwsync.render.listpage import (
    accounts_page,
    capabilities_page,
    capability_markdown,
    capability_page,
    pairs_page,
)
from cwsync.render.screen import show
from support.reports import NOW, THEN, change, movie, removes_guard


def text(page: Page) -> str:
    return show(page, PLAIN)


EXPLAIN = """\
ratings: Heat (1995)
  home        8, 2024-05-01 20:15 · imdb tt0113277, tmdb 949 · key 4411
  trakt       not there
  unreadable  ratings.json item 12: no ids
  baseline    home 8 · trakt 7 · linked by title and year, so never removed
  frozen      settling: we wrote 7 → 8 to trakt at 2024-05-01 20:15; left alone until 2024-06-01 12:00
  first seen  missing on trakt since 2024-05-01 20:15
  parked      trakt refused it: rejected (too old), 2 tries; again after 2024-06-01 12:00
  linked      by imdb
  decision    hold (settling: until 12:00)
  planned     ~ trakt 7 → 8 (changed: x)

! guard removes (ratings) would stop a run: 40 removals of 120 known records; 12 are allowed
"""


def test_explain() -> None:
    row = Row(
        "imdb_movie:tt0113277",
        movie(),
        Rated(80),
        Rated(70),
        mark=Mark(MarkKind.SETTLING, Side.TARGET, Rated(70), Rated(80), Rated(80), THEN, NOW),
        seen=Sighting(Side.TARGET, absent=True, at=THEN),
        parked=Parked(Side.TARGET, "rejected", 2, NOW, "too old"),
        weak=True,
    )
    trace = TraceReport(
        Feature.RATINGS,
        row.key,
        movie(),
        (Entry(movie(), Rated(80, THEN), "4411"),),
        (),
        (Undecoded("ratings.json item 12", "no ids"),),
        row,
        "by imdb",
        "hold",
        "settling: until 12:00",
        (change(Op.UPDATE, movie(), Rated(70), Rated(80), reason="changed: x"),),
    )
    report = ExplainReport("home-trakt", "heat", "home", "trakt", (trace,), (removes_guard(),))
    assert text(explain_page(report)) == EXPLAIN


def test_explain_says_nothing_twice() -> None:
    play = "imdb_movie:tt0113277@2024-05-01T20:15:00Z"
    entries = tuple(Entry(movie(), Rated(80), key) for key in ("tmdb_movie:949", play, "949", None))
    reason = "same: nothing changed"
    trace = TraceReport(Feature.RATINGS, "k", movie(), entries, (), (), None, "shared ids: x", "same", reason)
    told = text(explain_page(ExplainReport("p", "x", "home", "trakt", (trace,))))
    assert "  decision  same: nothing changed\n" in told
    assert told.count(" · key ") == 1
    assert " · key 949\n" in told


def test_explain_without_a_match() -> None:
    report = ExplainReport("home-trakt", "hea\x1bt", "home", "trakt", ())
    assert text(explain_page(report)) == (
        "no record of home-trakt matches 'hea␛t', on either side or in the baseline\n"
    )


def test_explain_of_a_record_that_is_nowhere_known() -> None:
    trace = TraceReport(Feature.RATINGS, "k", movie(), (), (), (), None, "", "skip", "no-ids: x")
    told = text(explain_page(ExplainReport("p", "x", "home", "trakt", (trace,))))
    assert "baseline  not in it" in told
    assert "planned   nothing" in told


STATUS = """\
pair   last run                       exit  last good run                  baseline                waiting
a      2024-05-01 20:15 (30 days ago)  0     2024-05-01 20:15 (30 days ago)  watchlist 2, ratings 7  1 hold, 3 parked
b      never                          —     never                          empty                   nothing
b: a run was cut off; the next run looks at what it left
"""


def test_status() -> None:
    rows = {Feature.RATINGS: 7, Feature.WATCHLIST: 2}
    reports = [
        StatusReport("a", 0, THEN, 0, THEN, rows, holds=1, parked=3),
        StatusReport("b", 4, unfinished=True),
    ]
    told = text(status_page(reports, NOW))
    assert [line.split() for line in told.splitlines()] == [line.split() for line in STATUS.splitlines()]


def test_status_of_what_cannot_be_read() -> None:
    damaged = ErrorReport("state", "state.json: the state is damaged: not JSON", None, 7)
    newer = ErrorReport("state", "state.json: was written by a newer cwsync (schema 9)", None, 7)
    lost = ErrorReport("last-run", "the record of the last run cannot be read", None, 0)
    reports = [
        StatusReport("a", 7, THEN, 3, THEN, error=damaged),
        StatusReport("b", 7, error=newer),
        StatusReport("c", 0, rows={Feature.RATINGS: 7}, error=lost),
    ]
    rows = [re.split(r" {2,}", line) for line in text(status_page(reports, NOW)).splitlines()[1:]]
    ran = "2024-05-01 20:15 (30 days ago)"
    assert rows == [
        ["a", ran, "3", ran, "damaged", "—"],
        ["b", "never", "—", "never", "unreadable", "—"],
        ["c", "unreadable", "—", "unreadable", "ratings 7", "nothing"],
    ]


def test_check() -> None:
    reports = [
        CheckReport("home", "account at plex", ((True, "token", "env PLEX_TOKEN"), (False, "login", "401")), 6),
        CheckReport("home-trakt", "pair", ((True, "two-way", "fit"),)),
    ]
    assert text(check_page(reports)) == (
        "home: account at plex\n"
        "  ok      token  env PLEX_TOKEN\n"
        "  FAILED  login  401\n"
        "\n"
        "home-trakt: pair\n"
        "  ok  two-way  fit\n"
    )


def test_reset() -> None:
    page = reset_page("p", {Feature.RATINGS: 1234}, ("the next run unites both sides", "removed titles may come back"))
    assert text(page) == (
        "p: the baseline would be forgotten\n"
        "  ratings  1,234 records\n"
        "- the next run unites both sides\n"
        "- removed titles may come back\n"
    )
    damaged = text(reset_page("p", {}, ("the state cannot be read (x); it is put aside as it is",)))
    assert damaged == ("p: the baseline would be forgotten\n- the state cannot be read (x); it is put aside as it is\n")


HOME = AccountSpec(
    "home",
    "plex",
    {"url": "http://me:hunter2@10.0.0.1:32400"},
    {"token": SecretRef("inline", "accounts.home.token", inline="hunter2"), "pin": SecretRef("env", "PIN")},
)
BACKUP = AccountSpec("backup", "tracker", {"path": Path("/data/tracker")})
PAIR = PairSpec(
    "home-backup",
    HOME,
    BACKUP,
    Mode.TWO_WAY,
    (
        FeatureSpec(Feature.RATINGS, remove=True, types=frozenset({Kind.SHOW, Kind.MOVIE}), since=date(2024, 1, 1)),
        FeatureSpec(Feature.WATCHLIST, add=False, update=False),
    ),
)


def test_pairs() -> None:
    assert text(pairs_page([PAIR])) == (
        "pair         accounts       mode     feature    does\n"
        "home-backup  home ⇄ backup  two-way  watchlist  nothing\n"
        "                                     ratings    "
        "add, update, remove (follow); movie, show, since 2024-01-01\n"
    )
    assert text(pairs_page([])) == "the file defines no pair\n"
    document = pairs_json([PAIR])
    assert (document["schema"], document["command"]) == (1, "pairs")
    assert "hunter2" not in str(document)


ACCOUNTS = """\
account  provider  where                  secrets                                   pairs
home     plex      http://10.0.0.1:32400  pin: env PIN, token: written in the file  home-backup
backup   tracker   /data/tracker          none                                      none
"""


def test_accounts_never_show_a_secret() -> None:
    told = text(accounts_page([HOME, BACKUP], {"home": ["home-backup"]}))
    assert told == ACCOUNTS
    assert "hunter2" not in told
    assert "hunter2" not in str(accounts_json([HOME, BACKUP], {}))


CAPS = Capabilities(
    "Trakt",
    {
        Feature.RATINGS: FeatureCaps(
            read=True,
            add=True,
            update=True,
            remove=True,
            kinds=frozenset(Kind),
            scores=tuple(range(10, 101, 10)),
            keeps_date=True,
        ),
        Feature.HISTORY: FeatureCaps(
            read=True, add=True, kinds=frozenset({Kind.MOVIE, Kind.EPISODE}), precision_s=60, plays=True, read_back=True
        ),
    },
    staleness=timedelta(minutes=15),
    drops_from_watchlist=frozenset({Feature.HISTORY}),
    facts=(Fact("A play is kept to the minute.", "https://example.org/docs", "2024-05-01"),),
)


def test_capabilities() -> None:
    assert text(capabilities_page({"trakt": CAPS})) == (
        "provider  feature  read  add  update  remove  types           notes\n"
        "trakt     ratings  yes   yes  yes     yes     all types       1 to 10 in steps of 1\n"
        "          history  yes   yes  —       —       movie, episode  "
        "times to the minute, sets its own date, every play, writes are read back\n"
    )
    one = text(capability_page("trakt", CAPS))
    assert one.startswith("trakt: Trakt\nreads may lag behind a write for 15 min\n")
    assert "a write to history takes the item off this service's own watchlist" in one
    assert one.endswith("A play is kept to the minute.\n  https://example.org/docs (checked 2024-05-01)\n")


def test_odd_score_grids_and_other_words() -> None:
    caps = Capabilities(
        "Odd",
        {Feature.RATINGS: FeatureCaps(read=True, remove=True, scores=(30, 60, 85), precision_s=5)},
        timedelta(0),
        absence_certain=True,
    )
    one = text(capability_page("odd", caps))
    assert "scores 3, 6, 8.5, times to 5 s" in one
    assert "a write can be read back at once\na complete read that lacks a record proves that it is gone\n" in one


def test_what_is_only_read_says_nothing_of_writes() -> None:
    for staleness in (timedelta(0), timedelta(minutes=5)):
        caps = Capabilities("List", {Feature.RATINGS: FeatureCaps(read=True)}, staleness)
        one = text(capability_page("list", caps))
        assert one.startswith("list: List\nit is only ever read\n\n")
        assert "write" not in one


def test_capability_markdown() -> None:
    assert capability_markdown({"trakt": CAPS}) == (
        "| provider | watchlist | ratings | history | progress |\n"
        "|---|---|---|---|---|\n"
        "| Trakt (`trakt`) | — | read, add, update, remove | read, add (movie, episode) | — |\n"
    )


def test_capabilities_as_data() -> None:
    document = capabilities_json({"trakt": CAPS})
    assert document["command"] == "capabilities"
    providers = document["providers"]
    assert isinstance(providers, dict)
    ratings = providers["trakt"]["features"]["ratings"]
    assert ratings["scores"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert ratings["types"] == ["episode", "movie", "season", "show"]
    assert providers["trakt"]["facts"][0]["checked"] == "2024-05-01"
