"""A secret is nowhere: a canary of each source, through every command, whatever goes wrong; nothing shows one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.canary import Driver, forms, sightings
from support.engine import SOAK
from support.figures import figure

# Not a letter or digit alone: each encoder has something to do.
SECRETS = {
    source: f'Can4ry-{source}/{n}+q"é %41\\x&<z>'
    for n, source in enumerate(("inline", "env", "variable", "file", "command", "credential"))
}
URL = "https://me:pAssw0rd-of-the-url@host.invalid"
CANARIES = {**SECRETS, "url": "pAssw0rd-of-the-url"}
PAIRS = {"one": ("inline", "env"), "two": ("variable", "file"), "three": ("command", "credential")}
MASK = "***"
# The places that the canaries come from.
SOURCES = {"pairs.toml", "secret.file", "secret.command", "credential"}


def write_config(folder: Path) -> None:
    accounts = {
        "inline": json.dumps(SECRETS["inline"]),
        "env": '{ env = "CANARY" }',
        "variable": '{ env = "NOT_THIS_ONE" }',
        "file": '{ file = "secret.file" }',
        "command": '{ command = ["cat", "secret.command"] }',
        "credential": '{ credential = "credential" }',
    }
    text = "".join(
        f'[accounts.{name}]\nprovider = "teller"\ntoken = {token}\nurl = "{URL}"\n' for name, token in accounts.items()
    )
    text += "".join(
        f'[pairs.{name}]\nsource = "{source}"\ntarget = "{target}"\nmode = "two-way"\n[pairs.{name}.ratings]\n'
        for name, (source, target) in PAIRS.items()
    )
    (folder / "pairs.toml").write_text(text, encoding="utf-8")
    for name, source in (("secret.file", "file"), ("secret.command", "command"), ("credential", "credential")):
        (folder / name).write_text(SECRETS[source] + "\n", encoding="utf-8")
    for name in SOURCES:
        (folder / name).chmod(0o600)


class House:
    """A folder with the canaries in it, and everything that any command leaves there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_config(folder)
        self.driver = Driver(folder)
        self.env = {
            "CWSYNC_CONFIG": str(folder / "pairs.toml"),
            "CWSYNC_STATE_DIR": str(folder / "state"),
            "CREDENTIALS_DIRECTORY": str(folder),
            "CANARY": SECRETS["env"],
            "CWSYNC_ACCOUNTS__VARIABLE__TOKEN": SECRETS["variable"],
        }
        self.commands = 0

    def __call__(self, line: str, trouble: str = "") -> tuple[int, str, str]:
        """Run a command; no canary is anywhere in what it says or leaves behind."""
        env = {f"CWSYNC_ACCOUNTS__{name.upper()}__TROUBLE": trouble for name in SECRETS if trouble}
        code, out, err = self.driver(*line.split(), env={**self.env, **env})
        self.commands += 1
        texts = {"stdout": out, "stderr": err}
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name not in SOURCES:
                texts[str(path.relative_to(self.folder))] = path.read_bytes().decode("utf-8", "backslashreplace")
        assert sightings(CANARIES, texts) == [], f"{line} ({trouble})"
        return code, out, err


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("canaries"))
    yield made
    figure("canaries", f"{made.commands} command lines, {len(CANARIES)} canaries in {len(forms('Can4ry'))} spellings")


LINES = [
    "plan --all -vv",
    "plan --all -vv --json --out plan.json",
    "run --all -vv --log-format json",
    "run --all --apply -vv",
    "run --plan plan.json --apply -vv",
    "run --all --apply --json -vv",
    "check -vv",
    "check --json -vv",
    "check --offline -vv",
    "status -vv",
    "status --json -vv",
    "explain one Film -vv",
    "explain one Film --json -vv",
    "pairs -vv",
    "pairs --json -vv",
    "accounts -vv",
    "accounts --json -vv",
    "capabilities -vv",
    "capabilities teller --json -vv",
    "history one -vv",
    "history one --json -vv",
    "undo one -vv",
    "undo one --apply -vv",
    "reset-state one --yes -vv",
    "reset-state two --yes --json -vv",
]
# The long form runs all of them.
SHORT = {
    "plan --all -vv",
    "plan --all -vv --json --out plan.json",
    "run --plan plan.json --apply -vv",
    "check -vv",
    "status --json -vv",
    "explain one Film -vv",
    "accounts -vv",
    "history one -vv",
    "reset-state one --yes -vv",
}


def test_no_command_shows_a_canary(house: House) -> None:
    codes = {line: house(line) for line in LINES if SOAK or line in SHORT}
    for line in ("plan --all -vv", "run --plan plan.json --apply -vv", "check -vv", "explain one Film -vv"):
        code, out, err = codes[line]
        assert code == 0, (line, out, err)
        assert MASK in err  # it was said, and blanked
    assert [
        name for name in SECRETS if f"{name}: POST https://***@host.invalid/x?X-Plex-Token=***" in codes[LINES[0]][2]
    ]
    assert not [line for line, (code, _, _) in codes.items() if code in (1, 2)]
    for line, (_, out, _) in codes.items():
        if "--json" in line:
            json.loads(out)
    assert list((house.folder / "state").rglob("*.jsonl"))  # there was a journal to look into
    assert b"Can4ry" not in (house.folder / "cmdline").read_bytes()


TROUBLES = ["open", "fetch", "data", "rows", "apply", "apply-down", "bug", "apply-bug", "cancelled", "task"]
SOME = {
    "open": ["check --json -vv", "explain one Film --json -vv"],
    "fetch": ["run --all --json -vv"],
    "rows": ["plan --all -vv", "plan --all --json"],
    "apply": ["run --all --apply --json"],
    "apply-down": ["run --all --apply -vv"],
    "bug": ["plan --all -vv", "plan --all -vv --json --log-format json"],
    "apply-bug": ["run --all --apply -vv"],
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_trouble_shows_a_canary(house: House, trouble: str) -> None:
    told = ""
    for line in LINES if SOAK else SOME.get(trouble, ["plan --all -vv"]):
        if trouble.startswith("apply") and "--apply" in line:
            for pair in PAIRS:  # something to write, again
                shutil.rmtree(house.folder / "state" / "pairs" / pair, ignore_errors=True)
        code, out, err = house(line, trouble)
        told += out + err
        if trouble == "bug" and "plan" in line:
            assert (code, "this is a bug in cwsync" in err) == (1, True)
        if trouble == "bug" and line == "plan --all -vv":
            for words in ("the note says ***", "ValueError: ***", "KeyError: ", "group ***", "Traceback"):
                assert words in err
    assert MASK in told
    assert "https://***@host.invalid" in told
    left = "".join(path.read_text() for path in (house.folder / "state").rglob("*.json*"))
    assert trouble != "apply" or "no:***" in left  # what the service said is kept, but for the secret


CANARY = json.dumps(SECRETS["inline"])
# Files that are wrong, by what stands in them for the token of each account.
BAD = {
    "wrong": [
        f"token = [{CANARY}]",
        f"token = {CANARY}\nstaleness = 7",
        f"token = {{ enw = {CANARY} }}",
        f"token = {{ env = {CANARY} }}",
        f"token = {{ credential = {CANARY} }}",
        f"token = {{ command = {CANARY} }}",
        f"tokn = {CANARY}",
        f"token = {{ file = {CANARY}, env = {CANARY} }}",
        "",
    ],
    "not to be had": [
        f"token = {json.dumps(SECRETS['inline'] + chr(10) + 'x')}",
        'token = { command = ["cat", "secret.command", "nowhere"] }',
        'token = { file = "." }',
        'token = { env = "NOTHING" }',
        'token = { env = "TWO_LINES" }',
    ],
    "no end of the text": [f"token = {CANARY[:-1]}"],
    "the key twice": [f"token = {CANARY}\ntoken = {CANARY}"],
    "no quotes": [f"token = {SECRETS['inline']}"],
    "a list without an end": [f"token = [{CANARY}"],
}


@pytest.mark.parametrize("name", BAD)
def test_no_bad_input_shows_a_canary(house: House, name: str) -> None:
    path = house.folder / "bad.toml"
    text = '[accounts.good]\nprovider = "teller"\ntoken = { env = "CANARY" }\n'
    for n, token in enumerate(BAD[name]):
        text += f'[accounts.bad{n}]\nprovider = "teller"\n{token}\n'
        text += f'[pairs.bad{n}]\nsource = "bad{n}"\ntarget = "good"\n[pairs.bad{n}.ratings]\n'
    path.write_text(text, encoding="utf-8")
    stray = {"CWSYNC_ACCOUNTS__BAD0__NOPE": SECRETS["variable"], "CWSYNC_ACCOUNTS__NOBODY__TOKEN": SECRETS["file"]}
    two_lines = {"TWO_LINES": f"{SECRETS['env']}\nx"}
    for mode, more in (
        ((0o600, {}), (0o600, stray), (0o644, {})) if SOAK else ((0o600, stray if name == "wrong" else {}),)
    ):
        path.chmod(mode)
        for line in LINES if SOAK else ("check -vv",):
            env = {**house.env, "CWSYNC_CONFIG": str(path), **two_lines, **more}
            code, out, err = house.driver(*line.split(), env=env)
            house.commands += 1
            assert sightings(CANARIES, {"stdout": out, "stderr": err}) == [], line
            assert code == 2 or SOAK, (out, err)
            if name == "wrong" and line == "check -vv":
                assert all(f"accounts.bad{n}" in err for n in range(len(BAD[name])))
    path.unlink()


def test_nothing_of_a_secret_is_on_any_command_line(house: House) -> None:
    """Not in ours, and not in those of the programs that we start to get one."""
    seen = house.folder / "seen"
    spy = house.folder / "spy"
    spy.write_text(f"#!/bin/sh\ntr '\\0' ' ' < /proc/$$/cmdline > {seen}\ncat secret.command\n")
    spy.chmod(0o700)
    text = (house.folder / "pairs.toml").read_text().replace('["cat", "secret.command"]', json.dumps([str(spy)]))
    config = house.folder / "spied.toml"
    config.write_text(text)
    config.chmod(0o600)
    program = (
        "import sys; from cwsync import provider; from cwsync.__main__ import main;"
        "provider.REGISTRY['teller'] = 'support.canary:Teller'; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "plan", "three", "-vv", "-c", str(config)],
        cwd=house.folder,
        env={**house.driver.environ, **house.env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = {"ours": (house.folder / "cmdline").read_text().replace("\0", " "), "theirs": seen.read_text()}
    assert "plan three -vv" in lines["ours"]
    assert "spy" in lines["theirs"]
    assert sightings(CANARIES, lines) == []
    assert os.access(spy, os.X_OK)
    for path in (config, seen, spy):
        path.unlink()
