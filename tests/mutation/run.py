"""Runs the tests on mutated copies of the sources, one mutant at a time: each must make a test fail.

    PYTHONPATH=tests .venv/bin/python -m mutation.run [--only WORD]... [--jobs N] [--table FILE]

First the tests that a mutant names, and only if none of them fails, the whole unit, scenario and
property suite. At the end every test that noticed a mutant must pass without one. Nothing is touched
but copies in a temporary folder.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mutation.mutants import EQUIVALENT, HERE, ROOT, SOURCES, Mutant, all_mutants, mechanisms
from support.figures import figure

TESTS = ROOT / "tests"
SUITE = ("unit", "scenarios", "property")
# A run that hangs tells nothing. The slowest honest one takes a tenth of this.
PATIENCE_S = 1200
_OPTIONS = ("-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "mutation.witness")
# The libraries are there before the tests are: see `server`.
_WARNINGS = ("-W", "ignore::pytest.PytestAssertRewriteWarning")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: the test that noticed it, or why it does not count as noticed.

    `named` says whether that test is one of those that the mutant names.
    """

    mutant: Mutant
    test: str | None
    trouble: str | None = None
    named: bool = True

    @property
    def killed(self) -> bool:
        """Whether a test failed because of the mutant."""
        return self.test is not None


class Tester:
    """A process that runs tests on any copy of the sources (see `server`)."""

    def __init__(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("CWSYNC_", "PYTEST_"))}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "server.py")],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, sources: Path, place: Path, tests: Iterable[str]) -> tuple[int, str | None]:
        """Run tests on `sources` until one fails: pytest's exit code (-1: it hung), and the test that failed."""
        failed = place / "failed"
        environ = {
            "PYTHONPATH": f"{sources}{os.pathsep}{TESTS}",
            "MUTANT_SOURCES": str(sources),
            "MUTANT_FAILED": str(failed),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(place / "hypothesis"),
        }
        words = [*_OPTIONS, *_WARNINGS, f"--basetemp={place / 'tmp'}", *(f"{TESTS}/{test}" for test in tests)]
        request = {"words": words, "environ": environ, "folder": str(ROOT), "patience_s": PATIENCE_S}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**request, "output": str(place / "output")}) + "\n")
        self._process.stdin.flush()
        code = int(json.loads(self._process.stdout.readline()))
        return code, failed.read_text(encoding="utf-8").removeprefix("tests/") if failed.exists() else None


@dataclass(frozen=True, slots=True)
class Hunt:
    """A plain copy of the sources, a folder for the mutated ones, and testers that are free."""

    folder: Path
    sources: Path
    testers: queue.SimpleQueue[Tester]

    @contextmanager
    def place(self) -> Iterator[Path]:
        """A folder that is gone afterwards."""
        with tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as name:
            yield Path(name)

    @contextmanager
    def tester(self) -> Iterator[Tester]:
        """A tester that nobody else uses meanwhile."""
        tester = self.testers.get()
        try:
            yield tester
        finally:
            self.testers.put(tester)

    def verdict(self, mutant: Mutant, *, suite: bool = True) -> Verdict:
        """Whether a test notices the mutant; with `suite` any test at all, if the named ones do not."""
        with self.place() as place, self.tester() as tester:
            copy = _mutated(mutant, self.sources, place)
            for named, tests in ((True, mutant.tests), (False, SUITE)):
                code, test = tester.run(copy, place, tests)
                if code == 1 and test:
                    return Verdict(mutant, test, named=named)
                if code != 0:
                    said = place.joinpath("output").read_text(errors="replace")[-300:]
                    return Verdict(mutant, None, f"pytest ended with {code}: {said}")
                if not suite:
                    break
        return Verdict(mutant, None, "survived")

    def control(self, tests: Iterable[str]) -> str | None:
        """What fails on the plain sources, where all of these tests must pass."""
        with self.place() as place, self.tester() as tester:
            code, test = tester.run(self.sources, place, dict.fromkeys(tests))
            return None if code == 0 else f"{test}: {place.joinpath('output').read_text(errors='replace')[-1000:]}"


def _mutated(mutant: Mutant, sources: Path, place: Path) -> Path:
    """A copy of `sources` below `place` with the mutant in it."""
    copy = place / "src"
    shutil.copytree(sources, copy)
    path = copy / mutant.path
    for stale in path.parent.joinpath("__pycache__").glob(f"{path.stem}.*"):
        stale.unlink()
    path.write_text(mutant.applied(path.read_text(encoding="utf-8")), encoding="utf-8")
    return copy


@contextmanager
def hunting(jobs: int) -> Iterator[Hunt]:
    """A hunt over one version of the sources: as they are now."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True)))
        sources = folder / "plain"
        shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(sources, quiet=2)
        testers: queue.SimpleQueue[Tester] = queue.SimpleQueue()
        for _ in range(jobs):
            testers.put(stack.enter_context(Tester()))
        yield Hunt(folder, sources, testers)


def judge(
    mutants: Sequence[Mutant], *, jobs: int, tell: Callable[[Verdict], None] = lambda _one: None, suite: bool = True
) -> list[Verdict]:
    """The verdict on each mutant, in order. Raises ``RuntimeError`` when a test fails without any mutant."""
    with hunting(jobs) as hunt:

        def one(mutant: Mutant) -> Verdict:
            found = hunt.verdict(mutant, suite=suite)
            tell(found)
            return found

        with ThreadPoolExecutor(jobs) as pool:
            verdicts = list(pool.map(one, mutants))
        if trouble := hunt.control(one.test for one in verdicts if one.test):
            raise RuntimeError(f"a test fails without any mutant: {trouble}")
    return verdicts


def summary(verdicts: Sequence[Verdict]) -> str:
    """``528 mutants, 528 killed``."""
    return f"{len(verdicts)} mutants, {sum(one.killed for one in verdicts)} killed"


def note(verdicts: Sequence[Verdict], began: float) -> str:
    """Note the figures of a whole hunt that began at `began` (of the monotonic clock). Gives them, too."""
    elsewhere = sum(one.killed and not one.named for one in verdicts)
    minutes = (time.monotonic() - began) / 60
    text = f"{summary(verdicts)} ({elsewhere} by a test that they do not name), {minutes:.1f} minutes"
    figure("mutation", text)
    return text


def table(verdicts: Sequence[Verdict]) -> str:
    """A Markdown table: mechanism, what was switched off, the test that noticed."""
    lines = ["| mechanism | switched off | noticed by |", "|---|---|---|"]
    for law in mechanisms():
        for one in verdicts:
            if one.mutant.law == law:
                test = f"`{_cell(one.test)}`" if one.test else f"**{_cell(one.trouble or '')}**"
                lines.append(f"| {law} | {_cell(one.mutant.name)} | {test} |")
    lines += ["", f"{summary(verdicts)}.", "", "Not in the list, because no test could tell:", ""]
    lines += [f"- {what}: {why}." for what, why in EQUIVALENT]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def main(words: Sequence[str] | None = None) -> int:
    """The command line. Exit code 1 when a mutant was not noticed."""
    parser = argparse.ArgumentParser(description="Switch each mechanism off and see a test fail.")
    parser.add_argument("--only", action="append", help="mutants whose name, mechanism or file holds this word")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    parser.add_argument("--table", type=Path, help="write the result as a Markdown table")
    parser.add_argument("--named", action="store_true", help="only the tests that a mutant names")
    given = parser.parse_args(words)
    mutants = [one for one in all_mutants() if _asked_for(one, given.only)]
    began = time.monotonic()
    verdicts = judge(mutants, jobs=given.jobs, tell=_print, suite=not given.named)
    print(f"trust: {note(verdicts, began)}")
    if given.table:
        given.table.write_text(table(verdicts), encoding="utf-8")
    return 0 if all(one.killed for one in verdicts) else 1


def _asked_for(mutant: Mutant, words: Sequence[str] | None) -> bool:
    return not words or any(word in f"{mutant} {mutant.file}" for word in words)


def _print(one: Verdict) -> None:
    state = ("killed" if one.named else "KILLED ELSEWHERE") if one.killed else "NOT KILLED"
    print(f"{state:16} {one.mutant.file:24} {one.mutant} <- {one.test or one.trouble}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
