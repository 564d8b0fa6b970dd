"""Forgetting a baseline: a backup stays, damage can be left behind, nothing in doubt is lost by accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from cwsync.errors import StateError
from cwsync.model import Change, Feature, Op, Rated, Side
from cwsync.state import document
from cwsync.state.entries import Header
from cwsync.state.journal import Journal
from cwsync.state.store import PairStore
from unit.test_state_fixture import HEAT, LATER, NOW, sample


def unfinished(store: PairStore, feature: Feature) -> None:
    header = Header("run-1", store.pair, "trakt", "home", 1, None, "d", NOW)
    change = Change(feature, Side.TARGET, Op.ADD, "k", HEAT, None, Rated(80), None, "new:")
    with Journal.begin(store.folder, header) as journal:
        journal.intend(1, feature, Side.TARGET, [change], NOW)


def test_nothing_to_forget_creates_nothing(tmp_path: Path) -> None:
    assert PairStore(tmp_path, "home-trakt").reset(None, NOW) is None
    assert PairStore(tmp_path, "home-trakt").reset(frozenset({Feature.RATINGS}), NOW) is None
    assert not list(tmp_path.iterdir())


def test_forgetting_all_keeps_a_backup_and_goes_on_counting(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "home-trakt")
    saved = store.save(sample())
    keep = store.reset(None, LATER)
    assert keep is not None
    assert document.decode(keep.read_bytes()) == saved
    state = store.load("trakt", "home")
    assert (state.features, state.generation, state.saved_at) == ({}, 2, LATER)


def test_forgetting_one_feature_keeps_the_others(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "home-trakt")
    saved = store.save(sample())
    keep = store.reset(frozenset({Feature.RATINGS}), LATER)
    assert keep is not None
    assert document.decode(keep.read_bytes()) == saved
    left = store.load("trakt", "home").features
    assert left == {name: one for name, one in saved.features.items() if name is not Feature.RATINGS}


@pytest.mark.parametrize("damage", ["empty", "flipped", "newer", "folder"])
def test_what_cannot_be_read_is_put_aside(tmp_path: Path, damage: str) -> None:
    store = PairStore(tmp_path, "home-trakt")
    store.save(store.save(sample()))
    good = store.path.read_bytes()
    bad = {"empty": b"", "flipped": good[:-9] + b"x" + good[-8:], "newer": good.replace(b'"schema":1', b'"schema":9')}
    store.path.unlink()
    if damage == "folder":
        store.path.mkdir()
    else:
        store.path.write_bytes(bad[damage])
    with pytest.raises(StateError):
        store.reset(frozenset({Feature.RATINGS}), LATER)
    keep = store.reset(None, LATER)
    assert keep is not None
    assert keep.name == "state-00000002-unreadable-20240501T203000.000000Z.json"
    assert damage == "folder" or keep.read_bytes() == bad[damage]
    state = store.load("trakt", "home")
    assert (state.generation, state.features) == (0, {})
    again = store.save(state)
    assert again.generation == 3  # behind everything that was ever kept
    assert keep in store.backups()


def test_forgetting_all_moves_an_unfinished_journal_away(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "home-trakt")
    store.save(sample())
    unfinished(store, Feature.RATINGS)
    before = store.journal_path.read_bytes()
    store.reset(None, LATER)
    assert not store.journal_path.exists()
    assert (store.runs_folder / "abandoned-20240501T203000.000000Z.jsonl").read_bytes() == before


def test_a_damaged_journal_needs_a_whole_reset(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "home-trakt")
    store.save(sample())
    store.journal_path.write_bytes(b"garbage\n")
    with pytest.raises(StateError, match="journal is damaged"):
        store.reset(frozenset({Feature.RATINGS}), LATER)
    store.reset(None, LATER)
    assert not store.journal_path.exists()
    (aside,) = store.runs_folder.glob("abandoned-*.jsonl")
    assert aside.read_bytes() == b"garbage\n", "it may be all that tells what was sent"


def test_one_feature_is_not_forgotten_while_another_is_in_doubt(tmp_path: Path) -> None:
    store = PairStore(tmp_path, "home-trakt")
    store.save(sample())
    unfinished(store, Feature.HISTORY)
    with pytest.raises(StateError, match="also wrote to history"):
        store.reset(frozenset({Feature.RATINGS}), LATER)
    assert store.load("trakt", "home").generation == 1
    store.reset(frozenset({Feature.HISTORY}), LATER)
    assert not store.journal_path.exists()
