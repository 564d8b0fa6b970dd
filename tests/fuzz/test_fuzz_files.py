"""Every file that a person or another program may hand to cwsync, broken in every way a fuzzer finds.

For each mutant: only documented exit codes, no traceback, no endless work, one JSON document with
``--json``; a dry run changes nothing, not even a time; a run that is refused writes to no side, and
the broken file stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.house import JOURNAL_OF, House
from fuzz.mutate import (
    STEPS,
    Mutator,
    Step,
    mutate_bytes,
    mutate_cells,
    mutate_json_tokens,
    mutate_tokens,
    mutate_tree,
)
from support.engine import effort
from support.figures import figure

JSON = (mutate_bytes, mutate_json_tokens, mutate_tree, mutate_tree)
PLAIN = (
    b"type,title,year,season,episode,imdb,tmdb,show_imdb,rating,rated_at\n"
    b"movie,Heat,1995,,,tt0113277,949,,9,2021-03-14\n"
    b"episode,Pilot,2008,1,1,,62085,tt0903747,8.5,2023-05-06T20:15:00Z\n"
    b"season,,,1,,,,tt0903747,8,\n"
)
LETTERBOXD = (
    b"Date,Name,Year,Letterboxd URI,Rating\n"
    b"2024-05-01,Heat,1995,https://boxd.it/1,4.5\n2024-05-02,Ran,1985,https://boxd.it/2,5\n"
)
TRAKT = (
    b"rated_at,type,title,year,trakt_rating,trakt_id,imdb_id,rating\n"
    b"2024-05-01T10:00:00Z,movie,Heat,1995,7,1,tt0113277,9\n"
)


def mutate_state(data: bytes, steps: Sequence[Step]) -> bytes:
    """A sealed document that says something else, under a checksum that fits: what only a hand makes."""
    body = json.dumps(json.loads(mutate_tree(data, steps)), separators=(",", ":")).encode()
    text = re.sub(rb'"checksum":("[^"]*"|[^,]*),', b"", body.replace(b'"schema":1,', b"", 1), count=1)[1:]
    text = re.sub(rb'"rows":\[(?=\[)', b'"rows":[\n', text).replace(b']],"', b']\n],"').replace(b"]]}", b"]\n]}")
    return b'{"schema":1,"checksum":"%s",\n%s' % (hashlib.sha256(text).hexdigest().encode(), text)


def mutate_journal(data: bytes, steps: Sequence[Step]) -> bytes:
    """A journal one of whose lines says something else, chained anew from there."""
    lines = data.splitlines()
    at = steps[0][1] % len(lines)
    changed = json.loads(mutate_tree(lines[at], steps))
    chain, told = "", []
    for number, line in enumerate(lines):
        found = changed if number == at else json.loads(line)
        if not isinstance(found, dict):
            told.append(json.dumps(found).encode())
            continue
        found.pop("hash", None)
        body = json.dumps(found, separators=(",", ":")).encode()
        chain = hashlib.sha256(chain.encode() + body).hexdigest()
        told.append(b'%s,"hash":"%s"}' % (body[:-1], chain.encode()))
    return b"\n".join(told) + b"\n"


def lenient(mutator: Mutator) -> Mutator:
    """For mutators that read the mutated tree again: a value that is no JSON falls back to broken bytes."""

    def mutate(data: bytes, steps: Sequence[Step]) -> bytes:
        try:
            return mutator(data, steps)
        except (ValueError, RecursionError):
            return mutate_bytes(data, steps)

    return mutate


@dataclass(frozen=True)
class Target:
    """A file to break: where it lies, what it holds at first, how it is broken, and the pair that reads it."""

    name: str
    place: Callable[[House], Path]
    mutators: tuple[Mutator, ...]
    pair: str = JOURNAL_OF
    seed: Callable[[House], bytes] | None = None
    dry: tuple[tuple[str, ...], ...] = (("plan", "--json"), ("run", "-vv"), ("status", "--json"), ("check",))
    data: bool = False  # whether this is a list of one of the sides


def _tracker(account: str, feature: str) -> Target:
    path = f"demo/{account}/{feature}.json"
    return Target(f"{account}-{feature}", lambda house: house.folder / path, JSON, data=True)


def _csv(name: str, seed: Callable[[House], bytes] | None) -> Target:
    mutators = (mutate_bytes, mutate_cells, mutate_cells)
    return Target(
        f"csv-{name}",
        lambda house: house.folder / "demo/imdb-ratings.csv",
        mutators,
        pair="imdb-home",
        seed=seed,
        data=True,
    )


TARGETS = (
    Target("pairs.toml", lambda house: house.folder / "pairs.toml", (mutate_bytes, mutate_tokens, mutate_tokens)),
    *(_tracker("home", feature) for feature in ("watchlist", "ratings", "history", "progress")),
    _tracker("backup", "ratings"),
    _csv("imdb", None),
    _csv("plain", lambda _house: PLAIN),
    _csv("letterboxd", lambda _house: LETTERBOXD),
    _csv("trakt", lambda _house: TRAKT),
    Target("state", lambda house: house.pair() / "state.json", (mutate_bytes, lenient(mutate_state))),
    Target(
        "journal",
        lambda house: house.pair() / "journal.jsonl",
        (mutate_bytes, lenient(mutate_journal), lenient(mutate_journal)),
        seed=House.unfinished,
    ),
    Target("finished-run", House.finished, (mutate_bytes, lenient(mutate_journal))),
    Target("last-run", lambda house: house.pair() / "last-run.json", (mutate_bytes, lenient(mutate_state))),
    Target("cache", lambda house: house.state / "cache" / f"{JOURNAL_OF}.json", (mutate_bytes, lenient(mutate_state))),
    Target(
        "holder",
        lambda house: house.state / "locks/account-home.holder",
        JSON,
        seed=lambda _house: b'{"pid":1,"host":"h","started_at":"2024-05-01T10:00:00Z","command":"run"}\n',
    ),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house that every mutant moves into."""
    return House.build(tmp_path_factory.mktemp("fuzz") / "house")


def _apply(house: House, target: Target, broken: Path, mutant: bytes) -> None:
    # Features are independent: a broken list stops its own feature on both sides, and no other.
    names = broken.name if target.data and target.pair == JOURNAL_OF else "*.json"
    before = house.data(names)
    told = house("run", target.pair, "--apply", "--json").check()
    if told.code in (2, 7):
        assert house.data(names) == before, told
    if told.code in (2, 7) or target.pair == "imdb-home":
        assert broken.read_bytes() == mutant, told
    second = house("run", target.pair, "--apply").check()
    if told.code in (2, 7):
        assert (second.code, house.data(names)) == (told.code, before)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_broken_file_is_told_of_and_nothing_is_lost(house: House, target: Target) -> None:
    house.restore()
    place = target.place(house)
    seed = target.seed(house) if target.seed else place.read_bytes()
    done = 0

    @effort(6, 400)
    @given(st.sampled_from(target.mutators), STEPS, st.sampled_from(target.dry), st.integers(0, 3))
    def search(mutator: Mutator, steps: list[Step], dry: tuple[str, ...], turn: int) -> None:
        nonlocal done
        done += 1
        mutant = mutator(seed, steps)
        place.write_bytes(mutant)
        before = house.tree()
        house(dry[0], target.pair, *dry[1:]).check()
        assert house.tree() == before
        if turn == 0:
            try:
                _apply(house, target, place, mutant)
            finally:
                house.restore()

    search()
    figure(f"fuzz {target.name}", f"{done} mutants through the command line")


@effort(6, 400)
@given(st.sampled_from(JSON), STEPS)
def test_a_broken_saved_plan_is_applied_as_it_stands_or_refused(
    house: House, mutator: Mutator, steps: list[Step]
) -> None:
    house.restore()
    mutant = mutator(house.plan.read_bytes(), steps)
    house.plan.write_bytes(mutant)
    before = house.data()
    told = house("run", "--plan", str(house.plan), "--apply", "--json").check()
    assert house.plan.read_bytes() == mutant
    if told.code != 0:
        assert house.data() == before, told


def test_a_plan_file_that_is_a_pipe_is_refused_and_not_waited_for(house: House) -> None:
    house.restore()
    pipe = house.folder / "pipe"
    os.mkfifo(pipe)
    told = house("run", "--plan", str(pipe), "--apply").check()
    assert (told.code, "not a regular file" in told.err) == (2, True)
