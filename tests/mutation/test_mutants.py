"""Each guard and each mechanism of the law, switched off, makes a test fail.

The short form checks the list and really runs a few mutants; with ``CWSYNC_SOAK=1`` all of them run.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mutation.mutants import SOURCES, Mutant, all_mutants, defaults, mechanisms, read_list
from mutation.run import SUITE, TESTS, Verdict, hunting, judge, note, table
from support.engine import SOAK

MUTANTS = all_mutants()
# The cheapest of each sort: a number of a guard, a mechanism on disk, a gate to the outside.
SAMPLE = (
    "6 removes: the absolute limit one late",
    "7 journal chain: each line stands for itself",
    "9 sanitiser: bidirectional and zero-width signs pass",
)


def named(name: str) -> Mutant:
    return next(mutant for mutant in MUTANTS if str(mutant) == name)


def test_every_mutant_fits_its_file_exactly_once_and_is_python() -> None:
    broken = []
    for mutant in MUTANTS:
        text = (SOURCES / mutant.path).read_text(encoding="utf-8")
        try:
            compile(mutant.applied(text), mutant.file, "exec")
        except (ValueError, SyntaxError) as error:
            broken.append(str(error))
    assert broken == []


def test_every_mechanism_of_the_law_has_a_mutant_and_none_has_another_name() -> None:
    assert {mutant.law for mutant in MUTANTS} == set(mechanisms())
    assert len(MUTANTS) > 120


def test_every_mutant_is_one_of_its_own_and_names_tests_that_are_run() -> None:
    for key in (str, lambda one: (one.file, one.old, one.new)):
        assert [what for what, times in Counter(map(key, MUTANTS)).items() if times > 1] == []
    tests = {test for mutant in MUTANTS for test in mutant.tests}
    assert [test for test in tests if test.partition("/")[0] not in SUITE or not _is_there(test)] == []
    assert all(mutant.old != mutant.new and mutant.tests for mutant in MUTANTS)


def _is_there(test: str) -> bool:
    file, _, name = test.partition("::")
    return (TESTS / file).is_file() and (not name or f"def {name}(" in (TESTS / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("guard", ["account", "filters", "complete", "empty", "removes", "budget"])
@pytest.mark.parametrize("more", [False, True])
def test_each_of_the_twelve_guards_is_switched_off(guard: str, more: bool) -> None:
    others = {"account": "updates", "filters": "adds", "complete": "overlap"}
    others |= {"empty": "clock", "removes": "age", "budget": "flap"}
    law = f"6 {others[guard] if more else guard}"
    assert len([mutant for mutant in MUTANTS if mutant.law == law]) >= 3


def test_every_default_of_the_guards_is_moved_both_ways() -> None:
    numbers = [mutant for mutant in defaults() if mutant.name.endswith((" in the file", " in a pair"))]
    moved = Counter(mutant.name.partition(" ")[0] for mutant in numbers)
    assert [name for name in ("max_remove", "free_adds", "min_overlap_percent") if moved[name] != 4] == []


def test_a_list_with_a_line_that_belongs_to_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("## 6 flap | planner/plan.py | unit\n@ one\n- a\n+ b\nlost\n", encoding="utf-8")
    with pytest.raises(ValueError, match="'lost' belongs to no mutant"):
        list(read_list(path))


def _told(verdicts: Sequence[Verdict]) -> list[str]:
    return [f"{one.mutant}: {one.trouble}" for one in verdicts if not one.killed]


def test_each_mutant_makes_a_test_fail() -> None:
    chosen = MUTANTS if SOAK else [named(name) for name in SAMPLE]
    began = time.monotonic()
    verdicts = judge(chosen, jobs=2, suite=bool(SOAK))
    if SOAK:
        note(verdicts, began)
    assert _told(verdicts) == []


def test_the_runner_is_not_fooled() -> None:
    """An edit that changes nothing survives, one that breaks the import is no proof, other sources are refused."""
    honest = named(SAMPLE[2])
    harmless = replace(honest, new=honest.old)
    with hunting(1) as hunt:
        assert hunt.verdict(harmless, suite=False).trouble == "survived"
        broken = hunt.verdict(replace(honest, new="    if nobody_knows(:"), suite=False)
        assert not broken.killed
        assert (broken.trouble or "").startswith("pytest ended with")
        with hunt.place() as place, hunt.tester() as tester:
            code, _ = tester.run(place, place, honest.tests)
            assert code not in (0, 1)
        assert hunt.control(honest.tests) is None


def test_the_table_names_each_mechanism_and_what_noticed() -> None:
    verdicts = [Verdict(one, "unit/test_x.py::test_y[a|b]") for one in MUTANTS[:-1]]
    verdicts.append(Verdict(MUTANTS[-1], None, "survived"))
    lines = table(verdicts).splitlines()
    assert f"{len(MUTANTS)} mutants, {len(MUTANTS) - 1} killed." in lines
    assert sum(line.endswith(r"| `unit/test_x.py::test_y[a\|b]` |") for line in lines) == len(MUTANTS) - 1
    assert sum(line.endswith("| **survived** |") for line in lines) == 1
