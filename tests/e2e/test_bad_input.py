"""Files that are wrong: `pairs.toml`, secrets, CSV files, trackers. A clear error, and nothing is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest

from support.shell import TWO_TRACKERS, Done, Shell, data_of, film, films, tree, unprivileged


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A pair in step. Every test leaves it as it was."""
    shell = Shell(tmp_path_factory.mktemp("synced"), TWO_TRACKERS)
    shell.put("home", *films(range(10)))
    assert shell("run --apply -q").code == 0
    return shell


def told(done: Done, code: int, *words: str) -> None:
    """The error is clear: its code, what is wrong and where, what to do; and it is no crash."""
    assert (done.code, done.clean()) == (code, True), done
    for word in words:
        assert word in done.err
    assert "error: " in done.err
    assert "hint: " in done.err


# --- pairs.toml ----------------------------------------------------------------------------------

# What is written over which line of TWO_TRACKERS -> where the error points, and what it says.
FILES = {
    "unknown key": ("remove = true", "remov = true", 12, "pairs.both.ratings.remov: unknown key (did you mean"),
    "wrong type": ("remove = true", 'remove = "yes"', 12, "pairs.both.ratings.remove: must be true or false"),
    "unknown account": ('"backup"\nmode', '"backpu"\nmode', 9, 'unknown account backpu (did you mean "backup"?)'),
    "self-pair": ('target = "backup"', 'target = "home"', 9, "pairs.both.target: is the same account as source"),
    "one folder twice": ('path = "backup"', 'path = "./home"', 9, "are the same account"),
    "duplicate name": ("[accounts.backup]", "[accounts.home]", 4, "not valid TOML"),
    "unknown provider": ('"tracker"\npath = "home"', '"trakcer"\npath = "home"', 2, 'did you mean "tracker"?'),
    "bad name": ("pairs.both", "pairs.Both", 7, "pairs.Both: a name is 1 to 64 of a-z"),
    "broken": ('mode = "two-way"', "mode = two-way", 10, "not valid TOML"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_names_the_key_and_the_line(synced: Shell, name: str) -> None:
    old, new, line, words = FILES[name]
    file = synced.folder / "bad.toml"
    file.write_text(TWO_TRACKERS.replace(old, new))
    before = synced.marks()
    done = synced(f"run -c {file} --apply")
    told(done, 2, f"{file}:{line}:", words)
    assert done.out == ""
    assert synced.marks() == before


def test_a_wrong_file_as_json_is_one_object_on_stderr(synced: Shell) -> None:
    file = synced.folder / "bad.toml"
    file.write_text(TWO_TRACKERS.replace("remove = true", "remov = true\nadd = 1"))
    done = synced(f"run -c {file} --apply --json")
    assert done.code == 2
    assert set(done.failure) == {"code", "message", "hint"}
    assert done.failure["code"] == "config"
    for words in (f"{file}:12: pairs.both.ratings.remov", f"{file}:13: pairs.both.ratings.add"):
        assert words in done.failure["message"]  # everything that is wrong, at once
    gone = synced(f"plan -c {synced.folder / 'none.toml'} --json")
    assert (gone.code, gone.failure["code"]) == (2, "config")


# --- secrets -------------------------------------------------------------------------------------


CANARY = "canary-91c6e0"


def keyed(folder: Path, token: str) -> Shell:
    shell = Shell(folder, TWO_TRACKERS.replace('"tracker"\npath = "home"', f'"keyed"\ntoken = {token}\npath = "home"'))
    shell.also = "support.keyed:register"
    shell.put("home", *films(range(3)))
    return shell


def test_a_secret_in_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    shell = keyed(tmp_path, '{ file = "token.txt" }')
    (tmp_path / "token.txt").write_text(CANARY)
    (tmp_path / "token.txt").chmod(0o644)
    done = shell("check --offline")
    assert (done.code, done.clean()) == (2, True)
    assert f"FAILED  token     file {tmp_path}/token.txt: others can read or write it" in done.out
    assert f"hint: chmod 600 {tmp_path}/token.txt" in done.out
    (tmp_path / "token.txt").chmod(0o600)
    assert f"ok  token     file {tmp_path}/token.txt" in shell("check --offline").out

    shell.file.write_text(shell.file.read_text().replace('{ file = "token.txt" }', f'"{CANARY}"'))
    shell.file.chmod(0o644)
    before = shell.marks()
    done = shell("run --apply")
    told(done, 2, f"{shell.file}:3: accounts.home.token: is written out", f"hint: chmod 600 {shell.file}")
    assert (shell.marks(), CANARY in done.err) == (before, False)


def test_a_secret_that_this_user_may_not_read_is_named(tmp_path: Path) -> None:
    shell = keyed(tmp_path, '{ file = "token.txt" }')
    (tmp_path / "token.txt").write_text(CANARY)
    (tmp_path / "token.txt").chmod(0)
    done = shell.behind(*unprivileged())("check --offline")
    assert (done.code, done.clean()) == (2, True)
    assert f"file {tmp_path}/token.txt: cannot be read: Permission denied" in done.out


def test_a_secret_is_shown_nowhere(tmp_path: Path) -> None:
    shell = keyed(tmp_path, '{ env = "TOKEN" }')
    env = {"TOKEN": CANARY}
    texts = []
    for line in ("check --offline", "accounts --json", "plan -vv --json", "run --apply -vv", "explain both film"):
        done = shell(line, env=env)
        assert done.code == 0, done
        texts += [done.out, done.err]
    assert "env TOKEN" in texts[0]
    assert json.loads(texts[2])["accounts"][0]["secrets"] == {"token": "env TOKEN"}
    assert not [text for text in texts if CANARY in text]
    assert not [name for name, data in data_of(tmp_path).items() if CANARY.encode() in data]


# --- trackers ------------------------------------------------------------------------------------


def link_elsewhere(path: Path) -> None:
    path.rename(path.with_name("elsewhere.json"))
    path.symlink_to("elsewhere.json")


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def text(change: Callable[[str], str]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_text(change(path.read_text()))

    return damage


# The damage -> what the error says. The path of the file is always in it.
TRACKERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (text(lambda old: old[: len(old) // 2]), "line "),
    "not JSON": (text(lambda _: "<html>please log in</html>"), "line 1 column 1: expected '{'"),
    "no bytes at all": (text(lambda _: ""), "the text ends too early"),
    "JSON of the wrong shape": (text(lambda _: "[]"), "expected '{', found '['"),
    "items are no list": (text(lambda _: '{"schema": 1, "feature": "ratings", "items": {}}'), "expected '['"),
    "another feature": (text(lambda old: old.replace("ratings", "history")), 'must say "feature": "ratings"'),
    "a newer schema": (text(lambda old: old.replace('"schema": 1', '"schema": 2')), "written by a newer version"),
    "a key twice": (text(lambda old: old.replace('"items"', '"items": [], "items"')), "'items' stands twice"),
    "a directory": (as_folder, "is a folder; a file must stand here"),
    "a symlink elsewhere": (link_elsewhere, "is a symlink"),
}


@pytest.mark.parametrize(("name", "side"), list(zip(TRACKERS, cycle(["home", "backup"]), strict=False)))
def test_a_tracker_file_that_cannot_be_trusted_stops_the_run(synced: Shell, name: str, side: str) -> None:
    damage, words = TRACKERS[name]
    path, other = synced.path(side), "backup" if side == "home" else "home"
    good = path.read_bytes()
    damage(path)
    before = [tree(synced.folder / account) for account in (side, other)]
    state = (synced.pair_folder("both") / "state.json").read_bytes()
    try:
        told(synced("run --apply"), 2, f"both: {path}: ", words)
        assert [tree(synced.folder / account) for account in (side, other)] == before
        assert (synced.pair_folder("both") / "state.json").read_bytes() == state
        assert not (synced.pair_folder("both") / "journal.jsonl").exists()
    finally:
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(good)


def test_what_this_user_may_not_read(tmp_path: Path) -> None:
    shell = Shell(tmp_path, TWO_TRACKERS)
    shell.put("home", *films(range(3)))
    shell.put("backup", *films(range(3)))
    user = shell.behind(*unprivileged())
    for path, told_of in (
        (shell.path("backup"), f"both: {shell.path('backup')}: may not be read by this user"),
        (tmp_path / "home", f"both: {tmp_path / 'home'}: may not be read by this user"),
        (shell.file, f"{shell.file}: cannot be read: Permission denied"),
    ):
        mode = path.stat().st_mode
        path.chmod(0)
        done = user("run --apply")
        path.chmod(mode)
        told(done, 2, told_of)
    assert len(shell.held("home")) == len(shell.held("backup")) == 3


def test_a_tracker_that_is_a_file_or_a_link_without_an_end(synced: Shell) -> None:
    file = synced.folder / "odd.toml"
    file.write_text(TWO_TRACKERS.replace('path = "backup"', 'path = "odd"'))
    odd = synced.folder / "odd"
    odd.write_text("not a folder")
    told(synced(f"plan -c {file}"), 2, f"both: {odd}: is not a folder")
    odd.unlink()
    odd.symlink_to(synced.folder / "unplugged")
    told(synced(f"run --apply -c {file}"), 2, f"both: {odd}: is a symlink that leads nowhere")
    odd.unlink()
    assert not (synced.folder / "unplugged").exists()


def test_one_bad_item_is_listed_and_stops_no_other(tmp_path: Path) -> None:
    """Exit 3: the bad row holds its own record, and nothing of the rest."""
    shell = Shell(tmp_path, TWO_TRACKERS)
    shell.put("home", *films(range(10)))
    shell("run --apply -q")
    shell.put("home", film(0, 8) | {"rating": "eight"}, *films(range(2, 11)))  # 0 is bad, 1 is gone, 10 is new
    shell.put("backup", film(0, 5), *films(range(1, 10)))
    done = shell("run --apply --json")
    assert done.code == 3
    assert [text for text in done.pair["warnings"] if "ratings.json item 1 (line 1): `rating` is 'eight'" in text]
    holds = [(hold["title"], hold["reason"].partition(":")[0]) for hold in done.pair["holds"]]
    assert holds == [("Film 0", "unreadable")]
    assert shell.scores("backup").keys() == {f"tt{1000000 + n}" for n in (0, *range(2, 11))}


# --- CSV files -----------------------------------------------------------------------------------

CSV_PAIRS = """
[accounts.list]
provider = "csv"
path = "list.csv"
feature = "ratings"
[accounts.home]
provider = "tracker"
path = "home"
[pairs.in]
source = "list"
target = "home"
[pairs.in.ratings]
remove = true
"""
GOOD = "imdb,title,year,rating\n" + "".join(f"tt{1000000 + n},Film {n},2000,8\n" for n in range(4))


@pytest.fixture
def listed(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path, CSV_PAIRS)
    (tmp_path / "list.csv").write_text(GOOD)
    assert shell("run --apply -q").code == 0
    return shell


def test_a_csv_file_that_cannot_be_read_is_never_an_empty_one(listed: Shell) -> None:
    path = listed.folder / "list.csv"
    before = data_of(listed.folder / "home")
    for data, words in (
        (b"film,stars\nHeat,8\n", "has neither a column of ids nor one of titles"),
        (b"imdb,title\ntt0113277,Heat\n", "has no column of ratings"),
        (b"", "has no header"),
        ("imdb,rating\nHé,8\n".encode("latin-1"), "is not UTF-8 at line 2"),
    ):
        path.write_bytes(data)
        told(listed("run --apply"), 2, f"in: {path}: ", words)
    path.unlink()
    told(listed("run --apply"), 2, f"in: {path}: does not exist")
    assert data_of(listed.folder / "home") == before


def test_bad_rows_are_listed_with_their_line_and_stop_no_good_row(listed: Shell) -> None:
    bad = ["what,Film 5,2000,8", ",,,3", "tt1000006,Film 6,2000,x", "tt1000007,too few", 'tt1000008,"never closed']
    rows = [*GOOD.splitlines()[:-1], "tt1000009,Film 9,2000,7", *bad]
    (listed.folder / "list.csv").write_text("\n".join(rows))
    done = listed("run --apply")
    assert (done.code, done.clean()) == (3, True)
    for words in (
        "line 6: 'what' is not an id of imdb",
        "line 7: has neither an id nor a title",
        "line 8: the rating is 'x', not a number from 0 to 10",
        "line 9: has 2 fields, the header has 4",
        "line 10: cannot be split into fields",
        "5 bad rows, first line 6",
    ):
        assert words in done.out
    # Film 3 is gone from the file, but the file was not read completely: nothing is removed.
    assert listed.scores("home") == {**{f"tt{1000000 + n}": 8 for n in range(4)}, "tt1000009": 7}


def test_a_csv_that_lost_its_ids_removes_nothing(listed: Shell) -> None:
    (listed.folder / "list.csv").write_text(re.sub("tt[0-9]+", "", GOOD))
    done = listed("run --apply --json")
    assert [skip["reason"].partition(":")[0] for skip in done.pair["skips"]] == ["no-ids"] * 4
    assert not [change for change in done.pair["changes"] if change["op"] == "remove"]
    assert len(listed.held("home")) == 4
