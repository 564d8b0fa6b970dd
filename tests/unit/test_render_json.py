"""The JSON documents, field by field."""

from __future__ import annotations

import json

from cwsync.model import (
    CheckReport,
    ErrorReport,
    ExplainReport,
    ExternalId,
    Feature,
    Item,
    Kind,
    Listed,
    Mark,
    MarkKind,
    Outcome,
    Parked,
    Play,
    Position,
    Rated,
    Row,
    Side,
    Sighting,
    StatusReport,
    TraceReport,
)
from cwsync.render.jsondiag import check_json, explain_json, reset_json, status_json
from cwsync.render.jsonout import dump, run_json, value_json
from support.reports import (
    NOW,
    THEN,
    applied_pair,
    change,
    feature_report,
    mixed_pair,
    movie,
    note,
    pair_report,
    removes_guard,
    run_report,
)


def test_a_run_is_the_document_of_the_contract() -> None:
    pair = mixed_pair(changes=(), conflicts=(), holds=(), skips=(), warnings=(), features={}, exit_code=75)
    assert run_json(run_report(pair, exit_code=75)) == {
        "schema": 1,
        "run_id": "20240601T120000Z-ab12",
        "command": "plan",
        "applied": False,
        "exit_code": 75,
        "pairs": [
            {
                "pair": "home-trakt",
                "mode": "one-way",
                "undoes": None,
                "source": "home",
                "target": "trakt",
                "first_run": False,
                "digest": "3f2a9c0b7d1e",
                "exit_code": 75,
                "locked_out": False,
                "error": None,
                "features": {},
                "changes": [],
                "conflicts": [],
                "holds": [],
                "skips": [],
                "guards": [],
                "warnings": [],
                "traffic": {},
            }
        ],
    }


def pair_json(**fields: object) -> dict[str, object]:
    document = json.loads(dump(run_json(run_report(mixed_pair(**fields)))))
    pair: dict[str, object] = document["pairs"][0]
    return pair


def test_a_change() -> None:
    changes = pair_json()["changes"]
    assert isinstance(changes, list)
    assert changes[1] == {
        "feature": "ratings",
        "op": "update",
        "side": "target",
        "account": "trakt",
        "type": "movie",
        "title": "Heat",
        "year": 1995,
        "season": None,
        "episode": None,
        "ids": {"imdb": "tt0113277", "tmdb": "949"},
        "show_ids": None,
        "show_title": None,
        "before": {"rating": 7, "rated_at": None},
        "after": {"rating": 7.5, "rated_at": None},
        "reason": "changed: the source moved",
        "outcome": None,
        "detail": None,
        "lost": None,
    }
    episode = changes[2]
    assert (episode["season"], episode["episode"], episode["show_title"]) == (1, 2, "Breaking Bad")
    assert episode["show_ids"] == {"imdb": "tt0903747", "tvdb": "81189"}
    assert episode["ids"] == {}


def test_outcomes() -> None:
    document = run_json(run_report(applied_pair(), applied=True))
    changes = json.loads(dump(document))["pairs"][0]["changes"]
    assert [one["outcome"] for one in changes] == ["confirmed", "confirmed", "confirmed", "not_found", "unknown"]
    assert changes[3]["detail"] == "trakt knows no tt0113277"
    assert {outcome.value for outcome in Outcome} == {
        "confirmed",
        "already",
        "not_found",
        "rejected",
        "unknown",
        "not_sent",
    }


def test_values() -> None:
    assert value_json(None) is None
    assert value_json(Rated(80, THEN)) == {"rating": 8, "rated_at": "2024-05-01T20:15:00Z"}
    assert type(value_json(Rated(80))["rating"]) is int  # type: ignore[index]
    assert value_json(Play(None)) == {"watched_at": None}
    assert value_json(Listed(THEN)) == {"listed_at": "2024-05-01T20:15:00Z"}
    assert value_json(Position(60_000, None, THEN)) == {
        "position_ms": 60_000,
        "duration_ms": None,
        "updated_at": "2024-05-01T20:15:00Z",
    }


def test_a_feature() -> None:
    report = feature_report(add=40, update=2, skip=1, confirmed=42, seconds=1.23456)
    features = pair_json(features={Feature.RATINGS: report})["features"]
    assert features == {
        "ratings": {
            "source": {"records": 120, "complete": True, "requests": 3},
            "target": {"records": 80, "complete": True, "requests": 2},
            "add": 40,
            "update": 2,
            "remove": 0,
            "conflict": 0,
            "hold": 0,
            "skip": 1,
            "same": 0,
            "adopt": 0,
            "filtered": 0,
            "one_sided": 0,
            "confirmed": 42,
            "failed": 0,
            "seconds": 1.235,
            "first_run": False,
        }
    }


def test_notes_guards_and_errors() -> None:
    error = ErrorReport("unavailable", "trakt: 503", "later", 75, Feature.RATINGS)
    guards = (removes_guard(), removes_guard(name="account", acceptable=False, feature=None, side=None))
    pair = pair_json(guards=guards, error=error, conflicts=(note("both-changed: x", movie(), Rated(80), Rated(60)),))
    assert pair["error"] == {
        "code": "unavailable",
        "message": "trakt: 503",
        "hint": "later",
        "feature": "ratings",
        "exit_code": 75,
    }
    assert pair["guards"] == [
        {
            "name": "removes",
            "feature": "ratings",
            "side": "target",
            "numbers": "40 removals of 120 known records; 12 are allowed",
            "hint": "raise max_remove_percent in [pairs.home-trakt.guards]",
            "acceptable": True,
            "digest": "3f2a9c0b7d1e",
        },
        {
            "name": "account",
            "feature": None,
            "side": None,
            "numbers": "40 removals of 120 known records; 12 are allowed",
            "hint": "raise max_remove_percent in [pairs.home-trakt.guards]",
            "acceptable": False,
            "digest": None,
        },
    ]
    conflicts = pair["conflicts"]
    assert isinstance(conflicts, list)
    assert conflicts[0]["title"] == "Heat"
    assert conflicts[0]["source"] == {"rating": 8, "rated_at": None}
    assert conflicts[0]["target"] == {"rating": 6, "rated_at": None}
    assert conflicts[0]["reason"] == "both-changed: x"


def test_two_ids_of_one_service_keep_the_better_one() -> None:
    ids = (ExternalId("imdb_movie:tt0000001"), ExternalId("imdb_movie:tt0000002"))
    item = Item(Kind.MOVIE, ids, "Twice")
    document = run_json(run_report(pair_report(skips=(note("x: y", item),))))
    assert json.loads(dump(document))["pairs"][0]["skips"][0]["ids"] == {"imdb": "tt0000001"}


def test_titles_come_through_exactly_and_harmlessly() -> None:
    title = "A\x1b]52;c;\x07\u202e\ud800 é"
    text = dump(run_json(run_report(pair_report(skips=(note("x: y", movie(title)),)))))
    assert text.isascii()
    assert text.count("\n") == 1
    assert not set(text) & {"\x1b", "\x07"}
    assert json.loads(text)["pairs"][0]["skips"][0]["title"] == title
    assert json.loads(dump({"a": [1]}, indent=True)) == {"a": [1]}


def test_explain() -> None:
    mark = Mark(MarkKind.SETTLING, Side.TARGET, Rated(70), Rated(80), Rated(80), THEN, NOW)
    row = Row(
        "imdb_movie:tt0113277",
        movie(),
        Rated(80),
        None,
        mark=mark,
        seen=Sighting(Side.SOURCE, absent=True, at=THEN),
        parked=Parked(Side.TARGET, "rejected", 2, NOW, "no"),
    )
    trace = TraceReport(
        Feature.RATINGS, row.key, movie(), (), (), (), row, "imdb", "hold", "settling: x", (change(after=Rated(80)),)
    )
    document = json.loads(dump(explain_json(ExplainReport("p", "heat", "home", "trakt", (trace,), (removes_guard(),)))))
    assert (document["schema"], document["command"], document["pair"]) == (1, "explain", "p")
    told = document["traces"][0]
    assert told["baseline"]["mark"]["until"] == "2024-06-01T12:00:00Z"
    assert told["baseline"]["first_seen"] == {"side": "source", "absent": True, "at": "2024-05-01T20:15:00Z"}
    assert told["baseline"]["parked"]["tries"] == 2
    assert told["changes"][0]["after"] == {"rating": 8, "rated_at": None}
    assert (told["decision"], told["reason"], told["linked"]) == ("hold", "settling: x", "imdb")


def test_status_check_and_reset() -> None:
    status = StatusReport("p", 4, THEN, 3, None, {Feature.RATINGS: 7}, holds=2, in_doubt=1, unfinished=True)
    assert status_json([status], 4) == {
        "schema": 1,
        "command": "status",
        "exit_code": 4,
        "pairs": [
            {
                "pair": "p",
                "exit_code": 4,
                "last_at": "2024-05-01T20:15:00Z",
                "last_exit": 3,
                "good_at": None,
                "rows": {"ratings": 7},
                "holds": 2,
                "parked": 0,
                "in_doubt": 1,
                "unfinished": True,
                "missing": False,
                "error": None,
            }
        ],
    }
    check = CheckReport("home", "account at plex", ((True, "token", "env PLEX_TOKEN"), (False, "login", "401")), 6)
    assert check_json([check], 6)["checks"] == [
        {
            "name": "home",
            "about": "account at plex",
            "exit_code": 6,
            "lines": [
                {"ok": True, "what": "token", "detail": "env PLEX_TOKEN"},
                {"ok": False, "what": "login", "detail": "401"},
            ],
        }
    ]
    assert reset_json("p", {Feature.RATINGS: 7}, ["a", "b"], {"done": False, "backup": None}) == {
        "schema": 1,
        "command": "reset-state",
        "pair": "p",
        "rows": {"ratings": 7},
        "consequences": ["a", "b"],
        "done": False,
        "backup": None,
    }
