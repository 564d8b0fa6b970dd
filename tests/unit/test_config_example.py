"""`examples/pairs.toml`: valid as it stands and with every commented key, and it shows all there are."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.config import load_settings
from cwsync.config.accounts import COMMON_KEYS, DEFAULT_TIMEOUT
from cwsync.config.schema import FeatureTable, GuardTable, HistoryTable, PairTable, ProgressTable
from cwsync.model import Feature, FeatureSpec, GuardSpec, Match, Mode, PairSpec, Settings
from cwsync.provider import provider_class, provider_names

EXAMPLE = Path(__file__).parents[2] / "examples" / "pairs.toml"
_COMMENTED = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)


@pytest.fixture
def plain() -> Settings:
    return load_settings(EXAMPLE, {})


@pytest.fixture
def full(tmp_path: Path) -> Settings:
    """The example with every commented key put in force."""
    path = tmp_path / "pairs.toml"
    path.write_text(_COMMENTED.sub("", EXAMPLE.read_text("utf-8")), "utf-8")
    return load_settings(path, {})


def document() -> dict[str, Any]:
    return tomllib.loads(_COMMENTED.sub("", EXAMPLE.read_text("utf-8")))


def test_it_is_what_the_demo_needs(plain: Settings) -> None:
    base = EXAMPLE.parent
    local = {name: account for name, account in plain.accounts.items() if "path" in account.options}
    assert {name: (account.provider, account.options["path"]) for name, account in local.items()} == {
        "home": ("tracker", base / "demo/home"),
        "backup": ("tracker", base / "demo/backup"),
        "imdb": ("csv", base / "demo/imdb-ratings.csv"),
    }
    # Those that need a login are there to be copied, and no pair asks for them.
    assert {name: account.provider for name, account in plain.accounts.items() if name not in local} == {
        "anilist": "anilist",
        "plex": "plex",
        "simkl": "simkl",
        "tmdb": "tmdb",
        "trakt": "trakt",
        "jellyfin": "jellyfin",
        "emby": "emby",
    }
    assert {side.name for pair in plain.pairs.values() for side in (pair.source, pair.target)} == set(local)
    assert plain.accounts["imdb"].options["feature"] == "ratings"
    one, two = plain.pairs["imdb-home"], plain.pairs["home-backup"]
    assert (one.source.name, one.target.name, one.mode) == ("imdb", "home", Mode.ONE_WAY)
    assert one.features == (FeatureSpec(Feature.RATINGS),)
    assert (two.source.name, two.target.name, two.mode) == ("home", "backup", Mode.TWO_WAY)
    assert {spec.feature: spec.remove for spec in two.features} == {
        Feature.HISTORY: False,
        Feature.RATINGS: True,
        Feature.PROGRESS: False,
        Feature.WATCHLIST: True,
    }


def test_commented_keys_are_the_defaults(plain: Settings, full: Settings) -> None:
    # What has no default: an example stands in the file.
    free = {"since", "until"}
    for name, pair in full.pairs.items():
        assert (pair.mode, pair.match, pair.guards) == (plain.pairs[name].mode, Match.IDS, GuardSpec())
        for spec, default in zip(pair.features, plain.pairs[name].features, strict=True):
            for field in FeatureSpec.__dataclass_fields__.keys() - free:
                assert getattr(spec, field) == getattr(default, field), field
    home, imdb = full.accounts["home"], full.accounts["imdb"]
    assert (home.timeout, home.staleness) == (DEFAULT_TIMEOUT, timedelta(0))
    declared = {option.name: option.default for option in provider_class("csv").options}
    assert imdb.options["scale"] == (declared["scale"] or 10)
    assert PairSpec("p", home, imdb).mode is Mode.ONE_WAY


def test_every_key_of_a_pair_is_shown() -> None:
    pairs = list(document()["pairs"].values())
    assert PairTable.model_fields.keys() <= {key for pair in pairs for key in pair}
    shown = {
        name: {key for pair in pairs for key in pair.get(name, {})}
        for name in ("ratings", "history", "progress", "guards")
    }
    assert FeatureTable.model_fields.keys() <= shown["ratings"]
    assert GuardTable.model_fields.keys() <= shown["guards"]
    assert HistoryTable.model_fields.keys() - FeatureTable.model_fields.keys() <= shown["history"]
    assert ProgressTable.model_fields.keys() - FeatureTable.model_fields.keys() <= shown["progress"]


@pytest.mark.parametrize("provider", provider_names())
def test_every_key_of_an_account_is_shown(provider: str) -> None:
    accounts = document()["accounts"]
    shown = {key for name, table in accounts.items() if table.get("provider", name) == provider for key in table}
    assert {option.name for option in provider_class(provider).options} <= shown
    assert set(COMMON_KEYS) <= {key for table in accounts.values() for key in table}
