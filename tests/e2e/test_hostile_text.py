"""Text from elsewhere reaches a terminal through one gate: from services, files, paths, arguments, in errors."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from cwsync.render.sanitise import sanitise
from support.canary import HOSTILE, Driver
from support.engine import SOAK, some
from support.shell import film

# What a file name can hold of it.
PATH = "x\x1b[2J\x1b]52;c;cm0=\x07\r\nerror: all is lost\u202egnp\u200b[link=x]"
HOSTILE_PAIR = """
[accounts.ours]
provider = "hostile"
[accounts.theirs]
provider = "hostile"
trouble = "none"
[pairs.both]
source = "ours"
target = "theirs"
mode = "two-way"
[pairs.both.ratings]
"""
FILES_PAIR = """
[accounts.ours]
provider = "tracker"
path = "ours"
[accounts.sheet]
provider = "csv"
path = "sheet.csv"
feature = "ratings"
[pairs.both]
source = "sheet"
target = "ours"
[pairs.both.ratings]
"""


def harmless(text: str) -> bool:
    """Whether a terminal would only ever print it, and no line of it poses as ours."""
    bad = [char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    return not bad and not [line for line in text.split("\n") if line.startswith("error: all is lost")]


class House:
    """A folder with a hostile name and commands in it."""

    def __init__(self, folder: Path, driver: Driver) -> None:
        self.folder = folder / PATH
        self.folder.mkdir()
        self.driver = driver
        self.env = {"CWSYNC_CONFIG": str(self.folder / "pairs.toml"), "CWSYNC_STATE_DIR": str(self.folder / "state")}

    def write(self, text: str) -> None:
        (self.folder / "pairs.toml").write_text(text)

    def __call__(self, *words: str, trouble: str = "") -> tuple[int, str]:
        """Run a command; nothing it says does anything."""
        more = {f"CWSYNC_ACCOUNTS__{name}__TROUBLE": trouble for name in ("OURS", "THEIRS") if trouble}
        code, out, err = self.driver(*words, env={**self.env, **more})
        assert harmless(out), (words, out)
        assert harmless(err), (words, err)
        return code, out + err


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    return Driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def house(tmp_path: Path, driver: Driver) -> House:
    return House(tmp_path, driver)


LINES: list[tuple[str, ...]] = [
    ("plan", "-vv"),
    ("plan", "-vv", "--out", "PLAN"),
    ("run", "--apply", "-vv"),
    ("explain", "both", "Film", "-vv"),
    ("explain", "both", HOSTILE.replace("\0", "")),
    ("history", "both", "-v"),
    ("undo", "both"),
    ("status", "-vv"),
    ("check", "-vv"),
    ("accounts",),
    ("pairs",),
    ("reset-state", "both", "--yes"),
]
BRIEFLY = {"pairs", "accounts", "status", "history", "undo", "reset-state"}
TROUBLES: dict[str, list[tuple[str, ...]]] = {
    "open": [("plan", "-vv")],
    "data": [("plan", "-vv")],
    "rows": [("plan", "-v"), ("check",), ("explain", "both", "Film")],
    "apply": [("run", "--apply", "-vv"), ("explain", "both", "Film")],
    "bug": [("plan", "-vv")],
    "task": [("plan",)],
}


def test_what_a_service_says_does_nothing(house: House) -> None:
    house.write(HOSTILE_PAIR)
    for line in LINES:
        if SOAK or line[0] not in BRIEFLY:
            code, told = house(*(str(house.folder.parent / "plan.json") if word == "PLAN" else word for word in line))
            assert code == 0, told
            if line[0] in ("plan", "run", "explain"):
                assert "␛[2J␛]52;c;cm0=␇�31m[/][link=https://x.invalid]a[/link]" in told


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_a_service_says_when_it_fails_does_nothing(house: House, trouble: str) -> None:
    house.write(HOSTILE_PAIR)
    for line in TROUBLES[trouble]:
        _, told = house(*line, trouble=trouble)
        assert "␛[2J␛]52" in told


def test_what_files_and_arguments_say_does_nothing(house: House) -> None:
    """Rows that cannot be read, columns, feature names, ids: each is quoted by some message."""
    house.write(FILES_PAIR)
    (house.folder / "ours").mkdir()
    rows: list[dict[str, object]] = [
        film(1, 8, title=HOSTILE, ids={"imdb": "tt1000001", "tmdb": HOSTILE, HOSTILE: "1"}),
        {"type": HOSTILE, "title": HOSTILE, "rating": HOSTILE},
        film(2, 8, rated_at=HOSTILE),
        {HOSTILE: HOSTILE},
    ]
    tracker = house.folder / "ours" / "ratings.json"
    tracker.write_text(json.dumps({"schema": 1, "feature": "ratings", "items": rows}))
    cell = HOSTILE.replace("\r\n", " ").replace("\0", "")
    header = f"type,title,imdb,rating,rated_at,{cell}\n"
    sheet = house.folder / "sheet.csv"
    sheet.write_text(header + f"movie,{cell},tt1000005,8,\n{cell},{cell},{cell},{cell},{cell},{cell}\n", "utf-8")
    for line in (("plan", "-v"), ("check",), ("explain", "both", "tt1000001"))[: 3 if SOAK else 1]:
        code, told = house(*line)
        assert code in (0, 3), told
        assert line[0] != "plan" or "cm0=" in told
    for damage in ({"schema": 1, "feature": HOSTILE, "items": []}, {"schema": HOSTILE}, [HOSTILE])[: 3 if SOAK else 1]:
        tracker.write_text(json.dumps(damage))
        assert house("plan")[0] == 2
    words: list[tuple[str, ...]] = [("plan", cell), ("plan", "--feature", cell), ("plan", f"--{cell}"), (cell,)]
    words += [("capabilities", cell), ("run", "--plan", str(house.folder / "no plan"), "--apply")]
    for wrong in words if SOAK else words[1::3]:
        assert house(*wrong)[0] == 2
    texts = [
        f"{cell}\n",
        f'["{cell!r}"]\n',
        f'[accounts."{ascii(cell)[1:-1]}"]\nx = 1\n',
        f'[accounts]\nx = "{cell}"\n',
    ]
    for text in texts if SOAK else texts[1:3]:
        house.write(text)
        assert house("check")[0] == 2


def test_paths_that_are_told_do_nothing(house: House) -> None:
    """The file a plan was saved to, and the backup of a state that was forgotten."""
    house.write(
        FILES_PAIR.replace('source = "sheet"', 'source = "ours"').replace('target = "ours"', 'target = "backup"')
    )
    with (house.folder / "pairs.toml").open("a") as config:
        config.write('[accounts.backup]\nprovider = "tracker"\npath = "backup"\n')
    (house.folder / "ours").mkdir()
    (house.folder / "ours" / "ratings.json").write_text(
        json.dumps({"schema": 1, "feature": "ratings", "items": [film(1, 8)]})
    )
    code, told = house("plan", "--out", str(house.folder / "plan.json"))
    assert (code, "plan saved to" in told, "␛[2J" in told) == (0, True, True)
    assert house("run", "--apply", "-q")[0] == 0
    code, told = house("reset-state", "both", "--yes")
    assert (code, "the backup is" in told) == (0, True)
    assert told.count("\n") < 12
    (house.folder / "state" / "pairs" / "both" / "state.json").write_text("{}")
    code, told = house("plan")
    assert (code, "␛[2J" in told) == (7, True)


INVISIBLE = [*range(0x180B, 0x1810), 0x2065, *range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)]


def test_nothing_invisible_makes_two_titles_look_the_same() -> None:
    assert [hex(code) for code in some(INVISIBLE, 9) if sanitise(f"a{chr(code)}b") != "ab"] == []
