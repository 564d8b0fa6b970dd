"""`load_settings`: what a file and an environment become. What they may not be: `test_config_errors`."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from cwsync.config import load_settings, parse_duration
from cwsync.config.accounts import DEFAULT_TIMEOUT
from cwsync.config.schema import FeatureTable, GuardTable, HistoryTable, PairTable, ProgressTable
from cwsync.errors import ConfigError
from cwsync.model import (
    AccountSpec,
    Conflict,
    Feature,
    FeatureSpec,
    GuardSpec,
    Kind,
    Match,
    Mode,
    OnGuard,
    PairSpec,
    Plays,
    RemoveMode,
    SecretRef,
    Settings,
)
from cwsync.provider import Option, Provider


class Folder:
    """A provider of local files: no secret tells two of its accounts apart."""

    options: ClassVar = (
        Option("path", "path", "the folder", required=True),
        Option("shape", "text", "what it holds", choices=("flat", "deep"), default="flat"),
        Option("columns", "table", "names"),
        Option("scale", "integer", "top", default=10),
    )


class Server:
    """A provider that is logged in to."""

    options: ClassVar = (
        Option("url", "text", "its address", required=True),
        Option("token", "secret", "the key"),
        Option("libraries", "strings", "which"),
    )


def classes(name: str) -> type[Provider]:
    known: dict[str, Any] = {"folder": Folder, "server": Server}
    if name not in known:
        raise ConfigError("unknown provider")
    return cast("type[Provider]", known[name])


TWO = """
[accounts.a]
provider = "folder"
path = "a"
[accounts.b]
provider = "folder"
path = "b"
"""
PAIR = """
[pairs.p]
source = "a"
target = "b"
"""


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None, mode: int = 0o600) -> Settings:
    path = tmp_path / "pairs.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return load_settings(path, environ or {}, classes=classes)


def account(tmp_path: Path, text: str, environ: dict[str, str] | None = None, name: str = "x") -> AccountSpec:
    """The one account of a file whose table holds `text`; two others make the pair."""
    return load(tmp_path, f"{TWO}{PAIR}[pairs.p.ratings]\n[accounts.{name}]\n{text}", environ).accounts[name]


def pair(tmp_path: Path, text: str) -> PairSpec:
    return load(tmp_path, f"{TWO}{PAIR}{text}").pairs["p"]


# ── Defaults ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "spec"),
    [
        (FeatureTable, FeatureSpec(Feature.RATINGS)),
        (HistoryTable, FeatureSpec(Feature.HISTORY)),
        (ProgressTable, FeatureSpec(Feature.PROGRESS)),
        (GuardTable, GuardSpec()),
        (PairTable, PairSpec("p", AccountSpec("a", "folder"), AccountSpec("b", "folder"))),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_defaults_of_the_schema_are_those_of_the_specs(table: Any, spec: object) -> None:
    fields = {name: field.default for name, field in table.model_fields.items() if not field.is_required()}
    for feature in Feature:
        assert fields.pop(feature.value, None) is None
    fields.pop("guards", None)
    assert fields == {name: getattr(spec, name) for name in fields}


def test_a_small_file(tmp_path: Path) -> None:
    got = load(tmp_path, f"{TWO}{PAIR}[pairs.p.ratings]")
    assert got.path == tmp_path / "pairs.toml"
    assert list(got.accounts) == ["a", "b"]
    assert got.accounts["a"] == AccountSpec(
        "a", "folder", {"path": tmp_path / "a", "shape": "flat", "scale": 10}, {}, None, DEFAULT_TIMEOUT
    )
    assert got.pairs == {
        "p": PairSpec("p", got.accounts["a"], got.accounts["b"], features=(FeatureSpec(Feature.RATINGS),))
    }


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    text = "\ufeff" + f"{TWO}{PAIR}[pairs.p.ratings]".replace("\n", "\r\n")
    assert list(load(tmp_path, text).pairs) == ["p"]


# ── Accounts ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("data", "{base}/data"),
        ("./data", "{base}/data"),
        ("/srv/data", "/srv/data"),
        ("~/data", "/home/me/data"),
        ("~", "/home/me"),
        ("a~b", "{base}/a~b"),
        ("../up", "{base}/../up"),
    ],
)
def test_paths_start_from_the_file(tmp_path: Path, text: str, path: str) -> None:
    got = account(tmp_path, f'provider = "folder"\npath = "{text}"', {"HOME": "/home/me"})
    assert str(got.options["path"]) == path.format(base=tmp_path)


def test_a_path_is_not_resolved_through_symlinks(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert account(tmp_path, 'provider = "folder"\npath = "link"').options["path"] == tmp_path / "link"


def test_every_kind_of_option(tmp_path: Path) -> None:
    folder = account(tmp_path, 'provider="folder"\npath="x"\nshape="deep"\nscale=5\ncolumns={a="b"}')
    assert folder.options == {"path": tmp_path / "x", "shape": "deep", "scale": 5, "columns": {"a": "b"}}
    server = account(tmp_path, 'provider="server"\nurl="http://x"\nlibraries=["Movies", "TV"]\ntoken={env="T"}')
    assert server.options == {"url": "http://x", "libraries": ("Movies", "TV")}
    assert server.secrets == {"token": SecretRef("env", "T")}


def test_staleness_and_timeout(tmp_path: Path) -> None:
    got = account(tmp_path, 'provider="folder"\npath="x"\nstaleness="15m"\ntimeout="5s"')
    assert (got.staleness, got.timeout) == (timedelta(minutes=15), timedelta(seconds=5))


def test_an_account_called_like_a_provider_needs_no_provider(tmp_path: Path) -> None:
    assert account(tmp_path, 'url="http://x"', name="server").provider == "server"


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ('"s3cret"', SecretRef("inline", "accounts.x.token", inline="s3cret")),
        ('{ env = "T" }', SecretRef("env", "T", inline="from-env")),
        ('{ env = "OTHER" }', SecretRef("env", "OTHER")),
        ('{ file = "t" }', SecretRef("file", "{base}/t")),
        ('{ command = ["pass", "x"] }', SecretRef("command", "pass", ("pass", "x"))),
        ('{ command = ["./get", "x"] }', SecretRef("command", "{base}/get", ("{base}/get", "x"))),
        ('{ credential = "t" }', SecretRef("credential", "/run/cred/t")),
    ],
)
def test_secrets(tmp_path: Path, text: str, ref: SecretRef) -> None:
    environ = {"T": "from-env", "CREDENTIALS_DIRECTORY": "/run/cred"}
    got = account(tmp_path, f'provider="server"\nurl="http://x"\ntoken={text}', environ).secrets["token"]
    at = str(tmp_path)
    argv = tuple(word.replace("{base}", at) for word in ref.argv)
    assert got == SecretRef(ref.source, ref.detail.replace("{base}", at), argv, ref.inline)
    assert "s3cret" not in f"{got!r} {got}"
    assert "from-env" not in f"{got!r} {got}"


@pytest.mark.parametrize(
    ("mode", "token", "fine"),
    [
        (0o600, '"s3cret"', True),
        (0o400, '"s3cret"', True),
        (0o640, '"s3cret"', False),
        (0o604, '"s3cret"', False),
        (0o602, '"s3cret"', False),
        (0o644, '{ env = "T" }', True),
    ],
)
def test_a_file_with_a_secret_in_it_is_private(tmp_path: Path, mode: int, token: str, fine: bool) -> None:
    text = f'{TWO}{PAIR}[pairs.p.ratings]\n[accounts.s]\nprovider="server"\nurl="u"\ntoken={token}'
    if fine:
        load(tmp_path, text, mode=mode)
        return
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, mode=mode)
    assert "pairs.toml:16: accounts.s.token: is written out in a file that others can" in caught.value.message
    assert caught.value.hint == f"chmod 600 {tmp_path}/pairs.toml"
    assert "s3cret" not in str(caught.value)


# ── Pairs ─────────────────────────────────────────────────────────────────────────────────────────


def test_features_stand_in_run_order(tmp_path: Path) -> None:
    got = pair(tmp_path, "watchlist={}\nprogress={}\nratings={}\nhistory={}")
    assert [spec.feature.value for spec in got.features] == ["history", "ratings", "progress", "watchlist"]


@pytest.mark.parametrize(
    ("feature", "line", "changed"),
    [
        ("ratings", "add = false", {"add": False}),
        ("ratings", "update = false", {"update": False}),
        ("ratings", "remove = true", {"remove": True}),
        ("ratings", 'remove_mode = "mirror"', {"remove_mode": RemoveMode.MIRROR}),
        ("ratings", 'conflict = "newest"', {"conflict": Conflict.NEWEST}),
        ("ratings", 'hold_new = "2d"', {"hold_new": timedelta(days=2)}),
        ("ratings", 'hold_removed = "auto"', {}),
        ("ratings", 'hold_removed = "0s"', {"hold_removed": timedelta(0)}),
        ("watchlist", 'types = ["movie", "show"]', {"types": frozenset({Kind.MOVIE, Kind.SHOW})}),
        ("history", "since = 2024-01-31", {"since": date(2024, 1, 31)}),
        ("history", "since = 2024-01-31T23:00:00", {"since": date(2024, 1, 31)}),
        ("history", "since = 2024-01-31T23:00:00-05:00", {"since": date(2024, 2, 1)}),
        ("history", "until = 2024-01-31T01:00:00+02:00", {"until": date(2024, 1, 30)}),
        ("history", "since = 2024-01-31\nuntil = 2024-01-31", {"since": date(2024, 1, 31), "until": date(2024, 1, 31)}),
        ("history", 'plays = "all"', {"plays": Plays.ALL}),
        ("progress", "min_seconds = 0", {"min_seconds": 0}),
        ("progress", "delta_seconds = 5", {"delta_seconds": 5}),
        ("progress", "max_percent = 100", {"max_percent": 100}),
    ],
)
def test_feature_keys(tmp_path: Path, feature: str, line: str, changed: dict[str, Any]) -> None:
    got = pair(tmp_path, f"[pairs.p.{feature}]\n{line}")
    assert got.features == (FeatureSpec(Feature(feature), **changed),)


def test_pair_keys_and_guards(tmp_path: Path) -> None:
    got = pair(tmp_path, 'mode="two-way"\nmatch="title-year"\nratings={}\nguards={max_remove=0, on_guard="hold"}')
    assert (got.mode, got.match) == (Mode.TWO_WAY, Match.TITLE_YEAR)
    assert got.guards == GuardSpec(max_remove=0, on_guard=OnGuard.HOLD)


# ── Environment ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "variable", "value", "key", "expected"),
    [
        ("x", "CWSYNC_ACCOUNTS__X__PATH", "/new", "path", Path("/new")),
        ("x", "CWSYNC_ACCOUNTS__X__SCALE", "5", "scale", 5),
        ("x", "CWSYNC_ACCOUNTS__X__COLUMNS", '{"a": "b"}', "columns", {"a": "b"}),
        ("x", "CWSYNC_ACCOUNTS__X__SHAPE", "deep", "shape", "deep"),
        ("x", "CWSYNC_ACCOUNTS__X__PATH", "123", "path", "{base}/123"),
        ("x", "CWSYNC_ACCOUNTS__X__SHAPE", "", "shape", "flat"),
        ("x-y", "CWSYNC_ACCOUNTS__X_Y__SHAPE", "deep", "shape", "deep"),
        ("x-y", "CWSYNC_ACCOUNTS__X-Y__SHAPE", "deep", "shape", "deep"),
        ("x__y", "CWSYNC_ACCOUNTS__X__Y__SHAPE", "deep", "shape", "deep"),
        ("x", "CWSYNC_ACCOUNTS", "{", "shape", "flat"),
        ("x", "CWSYNC_CONFIG", "/elsewhere", "shape", "flat"),
        ("x", "CWSYNC_STATE_DIR", "/elsewhere", "shape", "flat"),
        ("x", "CWSYNC_PAIRS__P__SOURCE", "b", "shape", "flat"),
        ("x", "ACCOUNTS", "b", "shape", "flat"),
        ("x", "accounts", "b", "shape", "flat"),
    ],
)
def test_variables(tmp_path: Path, name: str, variable: str, value: str, key: str, expected: object) -> None:
    got = account(tmp_path, 'provider="folder"\npath="x"', {variable: value}, name).options[key]
    assert str(got) == str(expected).replace("{base}", str(tmp_path))
    assert isinstance(got, type(expected)) or key == "path"


def test_the_exact_name_comes_before_the_one_with_a_dash(tmp_path: Path) -> None:
    text = f"{TWO}{PAIR}ratings={{}}" + "".join(
        f'\n[accounts.{name}]\nprovider="folder"\npath="x"' for name in ("x-y", "x_y")
    )
    got = load(tmp_path, text, {"CWSYNC_ACCOUNTS__X_Y__PATH": "/new"}).accounts
    assert (got["x_y"].options["path"], got["x-y"].options["path"]) == (Path("/new"), tmp_path / "x")


def test_a_variable_may_be_a_list_a_duration_or_a_secret(tmp_path: Path) -> None:
    environ = {
        "CWSYNC_ACCOUNTS__X__LIBRARIES": '["A", "B"]',
        "CWSYNC_ACCOUNTS__X__TIMEOUT": "9s",
        "CWSYNC_ACCOUNTS__X__TOKEN": '{"not": "parsed"}',
    }
    got = account(tmp_path, 'provider="server"\nurl="u"\ntoken={file="t"}', environ)
    assert got.options == {"url": "u", "libraries": ("A", "B")}
    assert got.timeout == timedelta(seconds=9)
    assert got.secrets == {"token": SecretRef("env", "CWSYNC_ACCOUNTS__X__TOKEN", inline='{"not": "parsed"}')}


def test_a_secret_in_a_variable_is_not_in_the_file(tmp_path: Path) -> None:
    text = TWO + PAIR + "ratings={}\n[accounts.server]\nurl='u'"
    got = load(tmp_path, text, {"CWSYNC_ACCOUNTS__SERVER__TOKEN": "s3cret"}, mode=0o644)
    assert got.accounts["server"].secrets["token"].source == "env"


def test_an_account_may_come_from_the_environment_alone(tmp_path: Path) -> None:
    got = load(tmp_path, TWO + PAIR + "ratings={}", {"CWSYNC_ACCOUNTS__SERVER__URL": "http://x"})
    assert got.accounts["server"] == AccountSpec("server", "server", {"url": "http://x"})


def test_the_environment_of_the_process_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CWSYNC_ACCOUNTS__A__PATH", "/elsewhere")
    assert load(tmp_path, TWO + PAIR + "ratings={}").accounts["a"].options["path"] == tmp_path / "a"


# ── The rest ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("6h", timedelta(hours=6)),
        ("2d", timedelta(days=2)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_durations(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "s", "1", "-1s", "1.5h", "1w", "1S", " 1s", "1s\n", "1h30m", "٣s", "3651d", "9" * 30 + "s", 5, None]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_duration(text)


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys, cwsync.config; print({'pydantic', 'platformdirs', 'subprocess', 'difflib'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
