"""`load_settings`: everything that is wrong is told at once, with its place, and no secret is ever in it."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path

import pytest

from cwsync.config import load_settings
from cwsync.errors import ConfigError, Exit
from unit.test_config import PAIR, TWO, classes, load

GOOD = f"{TWO}{PAIR}[pairs.p.ratings]\n"


def refused(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """The lines of the error, without the folder of the file."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, environ)
    assert caught.value.exit_code is Exit.USAGE
    assert caught.value.hint
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


# ── The file itself ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = 1\na = 2\n", r"pairs.toml:2:\d+: not valid TOML: Cannot overwrite a value"),
        ("[accounts.a]\n[accounts.a]\n", r"pairs.toml:2:\d+: not valid TOML: Cannot declare .* twice"),
        ("[accounts.a]\npath = nope\n", r"pairs.toml:2:8: not valid TOML: Invalid value"),
        ("a = 1\nb = ", r"pairs.toml:2:?\d*: not valid TOML: Invalid value"),
        ("a = " + "[" * 5000, r"pairs.toml: not valid TOML: is nested too deeply"),
        ("a = " + "9" * 5000, r"pairs.toml: not valid TOML: Exceeds the limit"),
    ],
)
def test_broken_toml(tmp_path: Path, text: str, told: str) -> None:
    assert re.match(told, refused(tmp_path, text)[0])


def unreadable(path: Path) -> None:
    path.write_text(GOOD)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser reads everything")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.mkdir(), "pairs.toml: cannot be read: it is a folder"),
        (lambda path: None, "pairs.toml: cannot be read: No such file or directory"),
        (os.mkfifo, "pairs.toml: cannot be read: it is not a regular file"),
        (lambda path: path.symlink_to(path), "pairs.toml: cannot be read: Too many levels of symbolic links"),
        (lambda path: path.write_bytes(b"a = 1\nb = '\xff'"), "pairs.toml:2: is not UTF-8"),
        (lambda path: path.write_bytes(b"#" * (1 << 21)), "pairs.toml: cannot be read: longer than 1048576 bytes"),
        (unreadable, "pairs.toml: cannot be read: Permission denied"),
    ],
)
def test_unreadable_files(tmp_path: Path, make, told: str) -> None:
    path = tmp_path / "pairs.toml"
    make(path)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {}, classes=classes)
    assert str(caught.value) == f"{tmp_path}/{told}"
    assert caught.value.hint


# ── Keys and values ───────────────────────────────────────────────────────────────────────────────

# What stands where, what is added to a good file, the line it is told at, and what is told.
_ACCOUNT = '[accounts.x]\nprovider = "folder"\npath = "x"\n'
_SERVER = '[accounts.x]\nprovider = "server"\nurl = "x"\n'
_DURATION = 'must be a duration such as "90s", "10m", "6h" or "2d"'
_SHAPES = 'must be text or a table with one of env, file, command, credential, as in { env = "NAME" }'


@pytest.mark.parametrize(
    ("added", "line", "told"),
    [
        ("[pair.q]", 13, 'pair: unknown key (did you mean "pairs"?)'),
        ("[other]", 13, "other: unknown key; known: accounts, pairs"),
        ("remvoe = true", 13, 'pairs.p.ratings.remvoe: unknown key (did you mean "remove"?)'),
        ("plays = 'all'", 13, "pairs.p.ratings.plays: unknown key; known: add, update, remove, remove_mode, .*"),
        ("[pairs.p.histroy]", 13, 'pairs.p.histroy: unknown key (did you mean "history"?)'),
        ("[pairs.p.guards]\n\nmax_remov = 1", 15, 'pairs.p.guards.max_remov: unknown key (did you mean "max_remove"?)'),
        ("[pairs.p.guards]\nmax_remove = -1", 14, "pairs.p.guards.max_remove: must be at least 0"),
        ("[pairs.p.guards]\nmax_remove_percent = 101", 14, "pairs.p.guards.max_remove_percent: must be at most 100"),
        ("[pairs.p.guards]\nfree_adds = true", 14, "pairs.p.guards.free_adds: must be a whole number"),
        ("[pairs.p.guards]\nfree_adds = 1.0", 14, "pairs.p.guards.free_adds: must be a whole number"),
        ("[pairs.p.guards]\non_guard = 'x'", 14, 'pairs.p.guards.on_guard: must be one of "stop" or "hold"'),
        ("add = 1", 13, "pairs.p.ratings.add: must be true or false"),
        ("add = 'true'", 13, "pairs.p.ratings.add: must be true or false"),
        ("remove_mode = 'all'", 13, 'pairs.p.ratings.remove_mode: must be one of "follow" or "mirror"'),
        ("conflict = []", 13, 'pairs.p.ratings.conflict: must be one of "source", .* or "skip"'),
        ("hold_new = 5", 13, f"pairs.p.ratings.hold_new: {_DURATION}"),
        ("hold_new = 'auto'", 13, f"pairs.p.ratings.hold_new: {_DURATION}"),
        ("hold_removed = '1w'", 13, f"pairs.p.ratings.hold_removed: {_DURATION}"),
        ("types = []", 13, "pairs.p.ratings.types: must not be empty"),
        ("types = 'movie'", 13, "pairs.p.ratings.types: must be a list"),
        ("types = ['movie',\n'film']", 13, 'pairs.p.ratings.types[1]: must be one of "movie", .* or "episode"'),
        ("since = '2024-01-01'", 13, "pairs.p.ratings.since: must be a date, as in 2024-01-31, without quotes"),
        ("since = 10:00:00", 13, "pairs.p.ratings.since: must be a date, .*"),
        ("since = 0001-01-01T00:00:00+12:00", 13, "pairs.p.ratings.since: is outside the calendar"),
        ("since = 2024-02-01\nuntil = 2024-01-01", 12, "pairs.p.ratings: until is before since"),
        ("[pairs.q]\nsource='a'\nratings={}", 13, "pairs.q.target: is missing"),
        ("[pairs.q]\nsource=1\ntarget='b'\nratings={}", 14, "pairs.q.source: must be text"),
        ("[pairs.q]\nsource='a'\ntarget='bb'\nratings={}", 15, "pairs.q.target: unknown account bb.*"),
        ("[pairs.q]\nsource='a'\ntarget='a'\nratings={}", 15, "pairs.q.target: is the same account as source"),
        ("[pairs.q]\nsource='a'\ntarget='b'", 13, "pairs.q: has no features; add .* [pairs.q.ratings]"),
        ("[pairs.q]\nsource='a'\ntarget='b'\nratings=true", 16, "pairs.q.ratings: must be a table"),
        ("[pairs.q]\nsource='a'\ntarget='b'\nratings={}\nmode='both'", 17, "pairs.q.mode: must be one of .*"),
        (
            "[pairs.q]\nsource='a'\ntarget='b'\nmode='two-way'\nratings={remove_mode='mirror'}",
            17,
            'pairs.q.ratings.remove_mode: "mirror" needs mode = "one-way"',
        ),
        ("[pairs.Q]\nsource='a'\ntarget='b'\nratings={}", 13, "pairs.Q: a name is 1 to 64 of .*"),
        ('[pairs."../q"]\nsource="a"\ntarget="b"\nratings={}', 13, 'pairs."../q": a name is 1 to 64 of .*'),
        (f"[pairs.{'q' * 65}]\nsource='a'\ntarget='b'\nratings={{}}", 13, "pairs..*: a name is 1 to 64 of .*"),
        ("[pairs]\nq = 3", 14, "pairs.q: must be a table"),
        ("[accounts]\nx = 3", 14, "accounts.x: must be a table: [accounts.x]"),
        ('[accounts."x y"]\nprovider="folder"\npath="x"', 13, 'accounts."x y": a name is 1 to 64 of .*'),
        ('[accounts."\\u001b[31m"]\nprovider="folder"\npath="x"', 13, 'accounts."\\u001b[31m": a name is .*'),
        ("[accounts.x]\npath = 'x'", 13, "accounts.x: needs provider = one of .*"),
        ("[accounts.x]\nprovider = 3", 14, "accounts.x.provider: must be text: one of .*"),
        ("[accounts.x]\nprovider = 'zzz'", 14, "accounts.x.provider: unknown provider zzz; known: .*"),
        ("[accounts.x]\nprovider = 'trackr'", 14, 'accounts.x.provider: unknown .* (did you mean "tracker"?)'),
        ("[accounts.x]\nprovider = 'folder'", 13, "accounts.x: needs path: the folder"),
        (f"{_ACCOUNT}pth = 1", 16, 'accounts.x.pth: unknown key (did you mean "path"?)'),
        (f"{_ACCOUNT}timeout = '0s'", 16, "accounts.x.timeout: must be at least 1s"),
        (f"{_ACCOUNT}timeout = 30", 16, f"accounts.x.timeout: {_DURATION}"),
        (f"{_ACCOUNT}staleness = '-1s'", 16, f"accounts.x.staleness: {_DURATION}"),
        (f"{_ACCOUNT}scale = '5'", 16, "accounts.x.scale: must be a whole number"),
        (f"{_ACCOUNT}scale = true", 16, "accounts.x.scale: must be a whole number"),
        (f"{_ACCOUNT}columns = {{ a = 1 }}", 16, "accounts.x.columns: must be a table of text"),
        (f"{_ACCOUNT}shape = 'dep'", 16, 'accounts.x.shape: must be one of "flat", "deep" (did you mean "deep"?)'),
        ("[accounts.x]\nprovider='folder'\npath=''", 15, "accounts.x.path: must be text, and not empty"),
        ("[accounts.x]\nprovider='folder'\npath=[]", 15, "accounts.x.path: must be text, and not empty"),
        ('[accounts.x]\nprovider="folder"\npath="a\\u0000b"', 15, "accounts.x.path: holds a control character"),
        ("[accounts.x]\nprovider='folder'\npath='~nobody-here/x'", 15, "accounts.x.path: cannot tell where .*"),
        (f"{_SERVER}libraries = 'A'", 16, "accounts.x.libraries: must be a list of text"),
        (f"{_SERVER}libraries = ['A', 1]", 16, "accounts.x.libraries: must be a list of text"),
        (f"{_SERVER}token = 5", 16, f"accounts.x.token: {_SHAPES}"),
        (f"{_SERVER}token = ''", 16, "accounts.x.token: is empty"),
        (f"{_SERVER}token = {{}}", 16, f"accounts.x.token: {_SHAPES}"),
        (f"{_SERVER}token = {{ env = 'A', file = 'b' }}", 16, f"accounts.x.token: {_SHAPES}"),
        (f"{_SERVER}token = {{ evn = 'A' }}", 16, f"accounts.x.token: {_SHAPES}"),
        (f"{_SERVER}token = {{ env = 'a-b' }}", 16, "accounts.x.token: env must be the name of a variable, .*"),
        (f"{_SERVER}token = {{ file = 5 }}", 16, "accounts.x.token: file must be text"),
        (f"{_SERVER}token = {{ credential = '../x' }}", 16, "accounts.x.token: credential must be a name .*"),
        (f"{_SERVER}token = {{ command = 'pass x' }}", 16, "accounts.x.token: command must be a list of text, .*"),
        (f"{_SERVER}token = {{ command = [] }}", 16, "accounts.x.token: command must be a list of text, .*"),
        (f"{_SERVER}token = {{ command = ['a', 1] }}", 16, "accounts.x.token: command must be a list of text, .*"),
    ],
)
def test_one_problem(tmp_path: Path, added: str, line: int, told: str) -> None:
    pattern = re.escape(f"pairs.toml:{line}: {told}").replace(r"\.\*", ".*")
    (got,) = refused(tmp_path, GOOD + added)
    assert re.fullmatch(pattern, got)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["there are no accounts; add a table such as [accounts.home]", "there are no pairs; .*"]),
        (TWO, ["there are no pairs; add a table such as [pairs.mine]"]),
        ("accounts = 3\npairs = []", ["accounts: must be a table.*", "pairs: must be a table.*", ".*", ".*"]),
    ],
)
def test_a_file_without_accounts_or_pairs(tmp_path: Path, text: str, told: list[str]) -> None:
    got = [line.split(": ", 1)[1] for line in refused(tmp_path, text)]
    assert len(got) == len(told)
    for pattern in told:
        assert any(re.fullmatch(re.escape(pattern).replace(r"\.\*", ".*"), line) for line in got)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ('provider="folder"\npath="d"', 'provider="folder"\npath="d"', True),
        ('provider="folder"\npath="d"', 'provider="folder"\npath="./d"', True),
        ('provider="folder"\npath="d"', 'provider="folder"\npath="e/../d"', True),
        ('provider="folder"\npath="d"', 'provider="folder"\npath="link"', True),
        ('provider="folder"\npath="d"', 'provider="folder"\npath="d"\nscale=10', True),
        ('provider="folder"\npath="d"\ntimeout="1m"', 'provider="folder"\npath="d"', True),
        ('provider="folder"\npath="d"', 'provider="folder"\npath="d"\nshape="deep"', False),
        ('provider="folder"\npath="d"', 'provider="folder"\npath="e"', False),
        # Two users of one server: who they are is known once they are logged in.
        ('provider="server"\nurl="u"', 'provider="server"\nurl="u"', False),
    ],
)
def test_two_names_for_the_very_same_account(tmp_path: Path, one: str, two: str, same: bool) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    text = f"[accounts.one]\n{one}\n[accounts.two]\n{two}\n[pairs.p]\nsource='one'\ntarget='two'\nratings={{}}"
    if same:
        assert "one and two are the same account" in refused(tmp_path, text)[0]
    else:
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("CWSYNC_ACCOUNTS__A", "x", "names no key; write CWSYNC_ACCOUNTS__NAME__KEY"),
        ("CWSYNC_ACCOUNTS__A__", "x", "names no key; write CWSYNC_ACCOUNTS__NAME__KEY"),
        ("CWSYNC_ACCOUNTS____PATH", "x", "names no key; write CWSYNC_ACCOUNTS__NAME__KEY"),
        ("CWSYNC_ACCOUNTS__A__PTH", "x", 'unknown key (did you mean "path"?)'),
        ("CWSYNC_ACCOUNTS__A__SCALE", "many", "must be JSON"),
        ("CWSYNC_ACCOUNTS__A__SCALE", "[" * 100_000, "must be JSON"),
        ("CWSYNC_ACCOUNTS__A__SCALE", '"5"', "must be a whole number"),
        ("CWSYNC_ACCOUNTS__A__SHAPE", "round", 'must be one of "flat", "deep"'),
        ("CWSYNC_ACCOUNTS__A__TIMEOUT", "soon", _DURATION),
        ("CWSYNC_ACCOUNTS__HOEM__PATH", "x", 'there is no account hoem in the file (did you mean "home"?)'),
    ],
)
def test_variables_that_are_wrong(tmp_path: Path, variable: str, value: str, told: str) -> None:
    text = GOOD + "[accounts.home]\nprovider='folder'\npath='h'"
    assert refused(tmp_path, text, {variable: value}) == [f"${variable}: {told}"]


def test_a_variable_that_may_mean_two_accounts(tmp_path: Path) -> None:
    text = GOOD + "".join(f"[accounts.{name}]\nprovider='folder'\npath='h'\n" for name in ("x-y_z", "x_y-z"))
    (got,) = refused(tmp_path, text, {"CWSYNC_ACCOUNTS__X_Y_Z__PATH": "p"})
    assert got == "$CWSYNC_ACCOUNTS__X_Y_Z__PATH: may mean the account x-y_z or x_y-z; rename one of them"


def test_a_variable_does_not_hide_what_is_wrong_in_the_file(tmp_path: Path) -> None:
    got = refused(tmp_path, PAIR + "ratings={}\n[accounts]\na=3\nb=4", {"CWSYNC_ACCOUNTS__A__PATH": "x"})
    assert [line.split(" ", 1)[1] for line in got] == [
        "accounts.a: must be a table: [accounts.a]",
        "accounts.b: must be a table: [accounts.b]",
    ]


def test_everything_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """
typo = 1
[accounts.a]
provider = "folder"
scale = "x"
[pairs.p]
source = "a"
target = "bee"
ratings = { remvoe = true, add = 1 }
[pairs.p.guards]
max_add_percent = 200
"""
    got = refused(tmp_path, text, {"CWSYNC_ACCOUNTS__A__SHAPE": "odd"})
    assert [line.split(": ")[0] + " " + line.split(": ")[1] for line in got] == [
        '$CWSYNC_ACCOUNTS__A__SHAPE must be one of "flat", "deep"',
        "pairs.toml:2 typo",
        "pairs.toml:3 accounts.a",
        "pairs.toml:5 accounts.a.scale",
        "pairs.toml:8 pairs.p.target",
        "pairs.toml:9 pairs.p.ratings.add",
        "pairs.toml:9 pairs.p.ratings.remvoe",
        "pairs.toml:11 pairs.p.guards.max_add_percent",
    ]


_VARIABLES = {"CWSYNC_ACCOUNTS__A__SCALE": "CANARY"}


@pytest.mark.parametrize(
    "text",
    [
        f"{_SERVER}token = 'CANARY'\ntokn = 'CANARY'",
        f"{_SERVER}token = ['CANARY']",
        f"{_SERVER}token = {{ env = 'CANARY-CANARY' }}",
        f"{_SERVER}token = {{ fil = 'CANARY' }}",
        f"{_SERVER}token = {{ command = 'CANARY' }}",
        f"{_SERVER}token = CANARY",
        f"{_SERVER}token = 'CANARY",
        f"{_SERVER}token = 'CANARY'\ntoken = 'CANARY'",
        f"{_ACCOUNT}shape = 'CANARY'\nscale = 'CANARY'\ncolumns = {{ a = ['CANARY'] }}",
        "[pairs.p.guards]\nmax_remove = 'CANARY'\n[pairs.p.history]\nsince = 'CANARY'\ntypes=['CANARY']",
    ],
)
def test_no_value_is_ever_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD + text, _VARIABLES)
    shown = "".join(traceback.format_exception(caught.value, chain=True)) + repr(caught.value) + str(caught.value.hint)
    assert "CANARY" not in shown
    assert caught.value.__context__ is None or "CANARY" not in repr(caught.value.__context__)
