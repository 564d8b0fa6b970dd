"""The decoders under a coverage-guided fuzzer, in the long form; in the short one their seeds alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from fuzz.harness import HARNESSES, executions, fuzz, seeds
from support.engine import SOAK
from support.figures import figure

SECONDS = 90


@pytest.mark.parametrize("name", HARNESSES)
def test_every_seed_of_the_coverage_guided_fuzzer_is_read(tmp_path: Path, name: str) -> None:
    assert seeds(name)
    for seed in seeds(name):
        for data in (seed, seed[:-3], b"", b"\xff" + seed):
            HARNESSES[name][0](data, tmp_path)


@pytest.mark.skipif(not SOAK, reason="coverage-guided fuzzing is a long form: CWSYNC_SOAK=1")
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is missing: pip install '.[soak]'")
@pytest.mark.parametrize("name", HARNESSES)
def test_decoders_raise_only_what_they_document(name: str) -> None:
    code, said = fuzz(name, SECONDS * SOAK)
    assert code == 0, said[-4000:]
    ran = executions(said)
    assert ran > 0, said[-4000:]
    figure(f"fuzz coverage-guided {name}", f"{ran} executions in {SECONDS * SOAK / 60:g} min")
