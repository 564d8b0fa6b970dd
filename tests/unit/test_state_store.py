"""The baseline on disk: what goes in comes out, and damage is never read as data."""

from __future__ import annotations

import errno
import gc
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync import files
from cwsync.engine import RunOptions, load_plan
from cwsync.errors import ConfigError, Exit, StateError
from cwsync.model import Baseline, ExternalId, Feature, Item, Kind, Rated, Row, Side
from cwsync.state import document, strict
from cwsync.state.document import PairState
from cwsync.state.rows import STRAIGHT, decode_rows
from cwsync.state.store import PairStore
from unit.test_state_fixture import HEAT, NOW, sample


@pytest.fixture(autouse=True)
def _no_hook() -> Iterator[None]:
    yield
    files.set_effect_hook(None)


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def small() -> PairState:
    row = Row("imdb_movie:tt0113277", HEAT, Rated(80, NOW), Rated(80), ("1",), ("2",), weak=True)
    return PairState(
        "p", "a", "b", saved_at=NOW, features={Feature.RATINGS: Baseline(Feature.RATINGS, {row.key: row}, True, "f")}
    )


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "home-trakt")
    saved = store.save(sample())
    assert (saved.generation, saved.checksum is not None) == (1, True)
    assert store.load("trakt", "home") == saved
    assert store.peek() == saved
    assert replace(saved, generation=0, checksum=None) == sample()


def test_a_pair_never_saved_is_empty_and_reading_creates_nothing(tmp_path: Path) -> None:
    store = PairStore(tmp_path / "state", "p")
    assert store.load("a", "b") == PairState("p", "a", "b", 0, None, {}, None)
    assert store.peek() is None
    assert store.backups() == []
    assert store.load("a", "b").baseline(Feature.RATINGS) == Baseline(Feature.RATINGS)
    assert tree(tmp_path) == {}


def test_reading_has_no_effect_on_the_disk(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "p")
    store.save(small())
    (store.folder / ".state.json.tmp").write_bytes(b"left by a crash")
    before = tree(tmp_path)
    files.set_effect_hook(lambda name, path: pytest.fail(f"{name} {path}"))
    store.load("a", "b")
    store.peek()
    assert tree(tmp_path) == before


def test_the_same_state_is_the_same_bytes(tmp_path: Path) -> None:
    state = sample()
    shuffled = {}
    for feature in sorted(state.features, reverse=True):
        pairs = reversed(list(state.features[feature].rows.items()))
        shuffled[feature] = replace(state.features[feature], rows=dict(pairs))
    assert document.encode(replace(state, features=shuffled)) == document.encode(state)


def test_the_checksum_covers_all_but_the_first_line(tmp_path: Path) -> None:
    saved = PairStore(tmp_path, "p").save(small())
    first, _, rest = (tmp_path / "pairs/p/state.json").read_bytes().partition(b"\n")
    assert first == b'{"schema":1,"checksum":"%s",' % (saved.checksum or "").encode()
    assert hashlib.sha256(rest).hexdigest() == saved.checksum


def test_a_pair_turned_around_keeps_its_baseline(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "home-trakt")
    saved = store.save(sample())
    now = store.load("home", "trakt")
    assert (now.source, now.target, now.checksum) == ("home", "trakt", saved.checksum)
    for feature, before in saved.features.items():
        after = now.features[feature]
        assert after.fingerprint == before.fingerprint
        for side in Side:
            assert after.account_ids.get(side.other) == before.account_ids.get(side)
        assert [one.side for one in after.removals] == [one.side.other for one in before.removals]
        for key, old in before.rows.items():
            new = after.rows[key]
            assert (new.source, new.target) == (old.target, old.source)
            assert (new.source_keys, new.target_keys) == (old.target_keys, old.source_keys)
            for one, two in ((new.mark, old.mark), (new.seen, old.seen), (new.parked, old.parked)):
                assert (one and one.side.other) == (two and two.side)
    again = store.save(now)
    assert store.load("trakt", "home").features == saved.features
    assert (store.peek() or saved).source == "home"
    assert again.generation == 2


@pytest.mark.parametrize(
    ("names", "source_keys"),
    [
        (("a", "c"), ("1",)),  # a is in both: its rows stay with it
        (("c", "a"), ("2",)),
        (("b", "c"), ("2",)),
        (("c", "b"), ("1",)),
        (("x", "y"), ("1",)),  # nobody is in both: the old source becomes the new one
    ],
)
def test_other_accounts_make_every_fingerprint_none(
    tmp_path: Path, names: tuple[str, str], source_keys: tuple[str]
) -> None:
    store = PairStore(tmp_path, "p")
    store.save(small())
    state = store.load(*names)
    baseline = state.features[Feature.RATINGS]
    assert (state.source, state.target, baseline.fingerprint) == (*names, None)
    assert baseline.rows["imdb_movie:tt0113277"].source_keys == source_keys


def test_a_flip_in_every_byte_is_found(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "p")
    store.save(small())
    good = store.path.read_bytes()
    for place in range(len(good)):
        flip = (0x01, 0x20, 0x80, 0xFF)[place % 4]
        store.path.write_bytes(good[:place] + bytes([good[place] ^ flip]) + good[place + 1 :])
        with pytest.raises(StateError) as caught:
            store.load("a", "b")
        assert caught.value.exit_code == Exit.STATE


def test_every_truncation_and_every_tail_is_found(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "p")
    store.save(small())
    good = store.path.read_bytes()
    for data in [good[:size] for size in range(len(good))] + [good + b"\n", good + b"\0", good + good]:
        store.path.write_bytes(data)
        with pytest.raises(StateError):
            store.load("a", "b")


def test_damage_names_the_way_out(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "p")
    store.save(small())
    store.path.write_bytes(b"")
    with pytest.raises(StateError) as caught:
        store.load("a", "b")
    assert caught.value.where == str(store.path)
    assert "`cwsync reset-state p`" in (caught.value.hint or "")
    assert str(store.backups_folder) in (caught.value.hint or "")


def signed(body: str) -> bytes:
    """A document whose checksum is right, whatever it says."""
    data = body.encode("ascii")
    return b'{"schema":1,"checksum":"%s",\n%s' % (hashlib.sha256(data).hexdigest().encode(), data)


ROW = '[["movie",["imdb_movie:tt0113277"],"Heat",1995],null,["r",80,null],null,[],[]]'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ROW, ROW + ",\n" + ROW),  # a row twice
        ('"pair":"p"', '"pair":"q"'),
        ('"pair":"p"', '"pair":"p","pair":"p"'),
        ('"generation":1', '"generation":NaN'),
        ('"generation":1', '"generation":1.0'),
        ('"generation":1', '"generation":true'),
        ('"generation":1,', ""),
        ('"accounts":["a","b"]', '"accounts":["b","a"]'),
        ('"accounts":["a","b"]', '"accounts":["a"]'),
        ('"account_ids":[null,null]', '"account_ids":[null]'),
        ('"ratings":', '"rating":'),
        ("80,null]", "Infinity,null]"),
        ("80,null]", "80.0,null]"),
        ("80,null]", "0,null]"),
        ("80,null]", "101,null]"),
        ("80,null]", "80]"),
        ('["r",80,null]', '["x"]'),
        ('["r",80,null]', '["r",80,"2024-05-01T00:00:00"]'),
        ('["movie"', '["film"'),
        ("1995]", "1995.5]"),
        ('"Heat"', "7"),
        ('"imdb_movie:tt0113277"', "1"),
        ('"imdb_movie:tt0113277"', '"imdb"'),
        ("[],[]]", "[],[1]]"),
        ("[],[]]", "[],null]"),
        ("[],[]]", "[]]"),
        ("[],[]]", "[],[],{}]"),
        ("[],[]]", '[],[],{"what":1}]'),
        ("[],[]]", '[],[],{"weak":false}]'),
        ("[],[]]", '[],[],{"seen":[0,true]}]'),
        ("[],[]]", '[],[],{"seen":[0,1,"2024-05-01T00:00:00Z"]}]'),
        ("[],[]]", '[],[],{"writes":["2024-05-01"]}]'),
        ("[],[]]", '[],[],{"unshown":2}]'),
        ("[],[]]", '[],[],{"seen":[2,true,"2024-05-01T00:00:00Z"]}]'),
        ("[],[]]", '[],[],{"unshown":null}]'),
        ("[],[]]", '[],[],{"mark":["odd",0,null,null,null,"2024-05-01T00:00:00Z","2024-05-01T00:00:00Z",false]}]'),
        ("[],[]]", '[],[],{"parked":[0,"x","3","2024-05-01T00:00:00Z",null]}]'),
        (',null,["r"', ',5,["r"'),
        ('["imdb_movie:tt0113277"]', "[]"),  # then the row has no key
        ("\n]", ""),
        ("\n]", "\n]]"),
        (ROW, "5"),
        (ROW, '{"key":1}'),
        (ROW, "[" * 5000 + "]" * 5000),
    ],
)
def test_wrong_shapes_under_a_right_checksum(tmp_path: Path, old: str, new: str) -> None:
    head = '"pair":"p","accounts":["a","b"],"source":0,"generation":1,"saved_at":null,"features":{\n"ratings":'
    feature = '{"first_run_done":true,"fingerprint":"f","account_ids":[null,null],"removals":[],'
    good = f'{head}{feature}"rows":[\n{ROW}\n]}}}}}}\n'
    store = PairStore(tmp_path, "p")
    store.folder.mkdir(parents=True)
    store.path.write_bytes(signed(good))
    assert store.load("a", "b").generation == 1
    assert old in good
    store.path.write_bytes(signed(good.replace(old, new, 1)))
    with pytest.raises(StateError, match="damaged"):
        store.load("a", "b")


def test_a_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "p")
    store.save(small())
    store.path.write_bytes(store.path.read_bytes().replace(b'"schema":1', b'"schema":2'))
    with pytest.raises(StateError, match="newer cwsync") as caught:
        store.load("a", "b")
    assert caught.value.hint == "upgrade cwsync"


@pytest.mark.parametrize("place", ["pairs", "pairs/p", "pairs/p/state.json"])
def test_symlinks_are_refused(tmp_path: Path, place: str) -> None:
    state_dir, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    PairStore(state_dir, "p").save(small())
    (state_dir / place).rename(elsewhere)
    (state_dir / place).symlink_to(elsewhere)
    store = PairStore(state_dir, "p")
    for act in (lambda: store.load("a", "b"), store.peek, lambda: store.save(small()), lambda: store.reset(None, NOW)):
        with pytest.raises(StateError, match="is a symlink"):
            act()


def test_a_folder_in_the_place_of_the_state_is_damage(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "p")
    store.path.mkdir(parents=True)
    with pytest.raises(StateError, match="is not a file"):
        store.load("a", "b")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_state_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "p")
    store.save(small())
    store.path.chmod(0)
    with pytest.raises(StateError, match="cannot read"):
        store.load("a", "b")


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_everything_is_owner_only(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = PairStore(tmp_path / "state", "p")
        store.save(store.save(small()))
    finally:
        os.umask(before)
    for path in (tmp_path / "state").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_ten_backups_are_kept_and_they_are_the_newest(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "p")
    state = small()
    for _ in range(14):
        state = store.save(state)
    assert [path.name for path in store.backups()] == [f"state-{n:08d}.json" for n in range(13, 3, -1)]
    assert document.decode(store.backups()[0].read_bytes()).generation == 13


def test_a_state_that_changed_since_it_was_read_is_not_overwritten(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "p")
    one = store.save(small())
    two = store.save(one)
    before = tree(tmp_path)
    for stale in (one, small(), replace(two, checksum=None)):
        with pytest.raises(StateError, match="is not the file that was read"):
            store.save(stale)
    assert tree(tmp_path) == before
    store.path.unlink()
    with pytest.raises(StateError, match="is not the file that was read"):
        store.save(two)


def effects_of_a_save(tmp_path: Path) -> int:
    store = PairStore(tmp_path / "count", "p")
    state = store.save(small())
    seen: list[str] = []
    files.set_effect_hook(lambda name, path: seen.append(name))
    store.save(state)
    files.set_effect_hook(None)
    return len(seen)


def raise_at(number: int, error: Callable[[], BaseException]) -> None:
    seen: list[str] = []

    def hook(name: str, _path: Path) -> None:
        seen.append(name)
        if len(seen) == number:
            raise error()

    files.set_effect_hook(hook)


def test_a_power_cut_anywhere_leaves_the_old_state_or_the_new(tmp_path: Path) -> None:
    total = effects_of_a_save(tmp_path)
    assert total == 7
    for number in range(1, total + 1):
        store = PairStore(tmp_path / str(number), "p")
        old = store.save(small())
        raise_at(number, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            store.save(replace(old, saved_at=NOW + timedelta(hours=1)))
        files.set_effect_hook(None)
        found = store.load("a", "b")
        assert found.generation == (2 if number == total else 1)
        assert store.save(found).generation == found.generation + 1


def test_a_full_disk_anywhere_leaves_the_old_state_and_no_temporary(tmp_path: Path) -> None:
    total = effects_of_a_save(tmp_path)
    for number in range(1, total):
        store = PairStore(tmp_path / str(number), "p")
        old = store.save(small())
        raise_at(number, lambda: OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(StateError, match="the disk is full"):
            store.save(old)
        files.set_effect_hook(None)
        assert store.load("a", "b") == old
        assert not list(store.folder.glob(".*"))


def test_a_full_disk_on_the_very_first_save_leaves_no_state(tmp_path: Path) -> None:
    for number in range(1, 40):
        store = PairStore(tmp_path / str(number), "p")
        raise_at(number, lambda: OSError(errno.ENOSPC, "No space left on device"))
        try:
            store.save(small())
            break
        except StateError:
            files.set_effect_hook(None)
            assert store.load("a", "b").generation in (0, 1)
            assert not list(tmp_path.rglob(".*"))
    else:
        pytest.fail("no end of effects")


def test_many_blocks_of_rows_are_the_same_after_a_round_trip() -> None:
    rows: dict[str, Row] = {}
    for number in range(20_000):
        item = Item(Kind.MOVIE, (ExternalId(f"imdb_movie:tt{number:07d}"),), f"Movie {number}", 2000)
        rows[item.ids[0]] = Row(item.ids[0], item, Rated(1 + number % 100, NOW), Rated(1 + number % 100))
    state = replace(small(), features={Feature.RATINGS: Baseline(Feature.RATINGS, rows)})
    data, _ = document.encode(state)
    assert document.decode(data).features == state.features
    assert len(json.loads(data)["features"]["ratings"]["rows"]) == 20_000
    assert gc.isenabled()


# --- saved plans: nothing but a whole one is read -----------------------------------------------------

SAVED: dict[str, Any] = {
    "schema": 1,
    "cwsync": "plan",
    "made_at": "2024-05-01T20:15:00Z",
    "options": {"features": ["ratings"], "limit": 3, "since": None, "until": "2024-01-01", "adds_only": True},
    "pairs": [{"pair": "p", "digest": "abc", "changes": []}],
}
NO_PLANS: dict[str, dict[str, Any]] = {
    "a newer schema": {"schema": 2},
    "something else": {"cwsync": "state"},
    "nothing said": {"cwsync": None},
    "a pair twice": {"pairs": SAVED["pairs"] * 2},
    "a day for a time": {"made_at": "2024-05-01"},
    "no writes at all": {"options": {**SAVED["options"], "limit": 0}},
    "a number for a truth": {"options": {**SAVED["options"], "adds_only": 1}},
    "a feature nobody knows": {"options": {**SAVED["options"], "features": ["rating"]}},
}


def test_a_saved_plan_keeps_every_option_and_its_moment(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(SAVED))
    plan = load_plan(path)
    made = datetime(2024, 5, 1, 20, 15, tzinfo=UTC)
    wanted = RunOptions(
        features=frozenset({Feature.RATINGS}), limit=3, until=date(2024, 1, 1), adds_only=True, now=made
    )
    assert (plan.digests, plan.made_at, plan.options) == ({"p": "abc"}, made, wanted)


@pytest.mark.parametrize("what", NO_PLANS)
def test_what_is_no_saved_plan_is_not_applied(tmp_path: Path, what: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(SAVED | NO_PLANS[what]))
    with pytest.raises(ConfigError, match="is not a saved plan"):
        load_plan(path)


# --- strict JSON, each part by itself -----------------------------------------------------------------

REFUSED = [
    ('{"a": 1, "a": 1}', "is there twice"),
    ('{"a": {"b": 1, "b": 2}}', "is there twice"),
    ("NaN", "belongs here"),
    ("[Infinity]", "belongs here"),
    ("-Infinity", "belongs here"),
    ("1.0", "belongs here"),
    ("1e3", "belongs here"),
    ("[" * 100_000, "nested too deeply|Expecting"),
    (b'"\xc3\xa9"', "ascii"),
    ("", "Expecting"),
    ("1 2", "Extra data"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_strict_json_is_refused_for_whatever_we_never_write(text: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        strict.loads(text)


def test_strict_members_are_there_and_of_their_very_type() -> None:
    table: dict[str, object] = {"n": 1, "t": True, "s": "x", "none": None}
    assert (strict.member(table, "n", int), strict.optional(table, "none", str)) == (1, None)
    for read, name, kind in ((strict.member, "t", int), (strict.member, "gone", int), (strict.optional, "gone", str)):
        with pytest.raises(ValueError, match=name):
            read(table, name, kind)


@pytest.mark.parametrize("more", [0, 1, 2])
def test_a_row_has_its_six_parts_and_at_most_its_extras(more: int) -> None:
    row: list[object] = [["movie", ["imdb_movie:tt0113277"], "Heat", 1995], None, ["r", 80, None], None, [], []]
    every: list[object] = [{"weak": True}, {}]
    extras = every[:more]
    if more == 2:
        with pytest.raises(ValueError, match="not a row"):
            decode_rows([[row + extras]], STRAIGHT)
    else:
        assert len(decode_rows([[row + extras]], STRAIGHT)) == 1
