"""`load_settings` on any text: settings, or a `ConfigError` with a hint, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwsync.config import load_settings
from cwsync.config.locate import locate
from cwsync.errors import ConfigError
from cwsync.model import Settings
from support.engine import effort
from unit.test_config import PAIR, TWO, classes

GOOD = f"{TWO}{PAIR}[pairs.p.ratings]\n"

# Pieces of TOML, rarely in an order that parses.
PIECES = (
    *"[]{}=.,#\n\"'\\",
    *("accounts", "pairs", "a", "p", "ratings", "history", "source", "target", "path", "provider", "token", "since"),
    *("true", "1", "-1", "1.5", "nan", "2024-01-01", "10:00:00", "'folder'", "'a'", '"b"', '"""', "'''"),
    *(" = ", " ", "\n[", "]\n", "\r\n", "\x00", "\u00e9", "\ufeff", "[accounts.a]\n", "[pairs.p]\n"),
)
# TOML that parses, with any value at any key.
SCALARS = ("1", "true", "'a'", "''", "nan", "-9", "2024-01-01", "0001-01-01T00:00:00+23:59", '"\\u0000"', "'folder'")
KEYS = (
    *("accounts", "accounts.a", "accounts.a.provider", "accounts.a.path", "accounts.x.token", "accounts.a.columns"),
    *("pairs", "pairs.p", "pairs.p.source", "pairs.p.mode", "pairs.p.ratings", "pairs.p.ratings.since"),
    *("pairs.p.ratings.types", "pairs.p.history.hold_removed", "pairs.p.guards", "pairs.p.guards.free_adds", "z"),
)
REST = "accounts.b = {provider='folder', path='b'}\naccounts.x = {provider='server', url='u'}\npairs.q.source='b'\n"

values = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.dictionaries(st.sampled_from(["env", "file", "add", "x"]), inner, max_size=2).map(
            lambda parts: "{" + ", ".join(f"{key} = {value}" for key, value in parts.items()) + "}"
        ),
    ),
    max_leaves=4,
)
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.builds("{} = {}\n{}".format, st.sampled_from(KEYS), values, st.just(REST)),
    st.text(max_size=60),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@effort(150, 10_000)
@given(texts, st.booleans())
def test_any_text_is_settings_or_a_config_error(folder: Path, text: str, after: bool) -> None:
    path = folder / "pairs.toml"
    path.write_bytes(((GOOD if after else "") + text).encode("utf-8", "surrogatepass"))
    told: ConfigError | None = None
    got: Settings | None = None
    try:
        got = load_settings(path, {}, classes=classes)
    except ConfigError as error:
        told = error
    assert isinstance(got, Settings) or (told is not None and told.message and told.hint)
    locate(text)
