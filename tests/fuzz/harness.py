"""Coverage-guided fuzzing of every decoder: ``python -m fuzz.harness NAME SECONDS`` (from `tests/`).

The claim is the contract of the decoders: an answer, or the exceptions they document. libFuzzer keeps
its corpus in a temporary folder, starting from the files of the tree. The last line says how much ran.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any, Final

from cwsync.config import load_settings
from cwsync.engine import load_plan
from cwsync.errors import ConfigError, DataError, StateError
from cwsync.model import AccountSpec, Feature
from cwsync.provider import Services
from cwsync.providers._trackeredit import edit
from cwsync.providers._trackerfile import FileError
from cwsync.providers.csvfile import CsvFile
from cwsync.state import document, load_last_run, read_journal

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
STATE: Final = Path(__file__).parents[1] / "unit/fixtures/state-v1.json"
MAX_LEN: Final = 4096
PLAN: Final = (
    b'{"schema":1,"cwsync":"plan","made_at":"2024-05-01T10:00:00Z","pairs":[{"pair":"p","digest":"d","changes":[]}],'
    b'"options":{"features":["ratings"],"limit":1,"since":"2024-05-01","until":null,"adds_only":false}}'
)
LAST_RUN: Final = (
    b'{"run_id":"r","started_at":"2024-05-01T10:00:00Z","finished_at":"2024-05-01T10:00:00Z","exit_code":0,'
    b'"good_at":null,"generation":1,"digest":null,"counts":{"add":1},"observed":{"ratings":"2024-05-01T10:00:00Z"}}'
)
Harness = Callable[[bytes, Path], None]


def config(data: bytes, folder: Path) -> None:
    """`pairs.toml`."""
    (folder / "pairs.toml").write_bytes(data)
    with suppress(ConfigError):
        load_settings(folder / "pairs.toml", {})


def plan(data: bytes, folder: Path) -> None:
    """A saved plan."""
    (folder / "plan.json").write_bytes(data)
    with suppress(ConfigError):
        load_plan(folder / "plan.json")


def tracker(data: bytes, _folder: Path) -> None:
    """A tracker file, read as each of the features."""
    text = data.decode("utf-8", "replace")
    for feature in Feature:
        with suppress(FileError):
            edit(text.replace("FEATURE", feature.value), feature, [])


def csvfile(data: bytes, folder: Path) -> None:
    """A CSV file, as each of the features."""
    path = folder / "list.csv"
    path.write_bytes(data)
    for feature in (Feature.RATINGS, Feature.HISTORY, Feature.WATCHLIST):
        provider = CsvFile(AccountSpec("list", "csv", {"path": path, "feature": feature.value}, {}), Services())
        with suppress(DataError):
            asyncio.run(provider.fetch(feature))


def state(data: bytes, _folder: Path) -> None:
    """A baseline, below its checksum: what an older or a broken cwsync could have sealed."""
    with suppress(ValueError, StateError):
        document._decode(data, None, None)


def journal(data: bytes, folder: Path) -> None:
    """A journal, and the record of the last run, as a broken cwsync could have sealed it."""
    (folder / "journal.jsonl").write_bytes(data)
    with suppress(StateError):
        read_journal(folder / "journal.jsonl")
    rest = data[1:]
    first = b'{"schema":1,"checksum":"%s",\n' % hashlib.sha256(rest).hexdigest().encode()
    (folder / "last-run.json").write_bytes(first + rest)
    load_last_run(folder)


def _lists(pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(EXAMPLES.glob(pattern))]


HARNESSES: Final[dict[str, tuple[Harness, Callable[[], list[bytes]]]]] = {
    "config": (config, lambda: _lists("pairs.toml")),
    "plan": (plan, lambda: [PLAN]),
    "tracker": (
        tracker,
        lambda: [re.sub(rb'"feature": "\w+"', b'"feature": "FEATURE"', one) for one in _lists("demo/*/*.json")],
    ),
    "csv": (csvfile, lambda: _lists("demo/*.csv")),
    "state": (state, lambda: [b"{" + STATE.read_bytes().partition(b"\n")[2]]),
    "journal": (journal, lambda: [LAST_RUN]),
}


def seeds(name: str) -> list[bytes]:
    """Sound documents to start from."""
    return HARNESSES[name][1]()


def fuzz(name: str, seconds: int) -> tuple[int, str]:
    """Fuzz one decoder in a process of its own. Gives its exit code and all that it said."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fuzz.harness", name, str(seconds), folder]
        done = subprocess.run(
            command, cwd=Path(__file__).parents[1], capture_output=True, timeout=seconds + 300, check=False
        )
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def executions(said: str) -> int:
    """How many inputs libFuzzer says it ran."""
    return max((int(count) for count in re.findall(r"(?:^#|Done )(\d+)", said, re.MULTILINE)), default=0)


def _main(name: str, seconds: str, folder: str) -> None:
    atheris: Any = importlib.import_module("atheris")  # not there in every house, and it has no types

    harness, corpus, work = HARNESSES[name][0], Path(folder, "corpus"), Path(folder, "work")
    corpus.mkdir()
    work.mkdir()
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_LEN}", "-timeout=60", f"-artifact_prefix={folder}/"]
    for module in [one for one_name, one in sys.modules.items() if one_name.startswith(("cwsync", "json", "csv"))]:
        for function in vars(module).values():
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                atheris.instrument_func(function)
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: harness(bytes(data), work))
    atheris.Fuzz()


if __name__ == "__main__":
    _main(*sys.argv[1:])
