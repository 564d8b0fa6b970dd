"""`make soak`: the long form of every proof, one after the other, and then what each of them ran.

Exit code 0 means that all of them held. The report also stays in ``build/soak.txt``. Words given on the
command line choose among the parts. The mutants stand one by one, each with the test that noticed it,
in ``build/mutants.md``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "build" / "soak.txt"
MUTANTS = ROOT / "build" / "mutants.md"
PARTS = {
    "cut": [
        "tests/crash/test_cut_matrix.py",
        "tests/crash/test_disk.py",
        "tests/crash/test_every_byte.py",
        "tests/crash/test_past_bytes.py",
    ],
    "kill": ["tests/crash/test_kills.py", "tests/crash/test_signals.py", "tests/crash/test_two_processes.py"],
    "machine": ["tests/property"],
    "fuzz": ["tests/fuzz"],
    "network": ["tests/e2e/test_bad_network.py", "tests/e2e/test_bad_media_servers.py"],
}


def part(name: str) -> tuple[int, float]:
    """Run one part; its exit code and how many minutes it took."""
    began = time.monotonic()
    if name == "mutation":
        words = [sys.executable, "-m", "mutation.run", "--table", str(MUTANTS)]
        done = subprocess.run(words, cwd=ROOT / "tests", env=_environ(), check=False)
    else:
        words = [sys.executable, "-m", "pytest", "-n", "2", *PARTS[name]]
        done = subprocess.run(words, cwd=ROOT, env=_environ(), check=False)
    return done.returncode, (time.monotonic() - began) / 60


def _environ() -> dict[str, str]:
    return {"CWSYNC_SOAK": "1", **os.environ, "CWSYNC_SOAK_REPORT": str(REPORT)}


def main(wanted: list[str]) -> int:
    """Run the parts named, or all."""
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text("")
    failed = []
    for name in wanted or [*PARTS, "mutation"]:
        code, minutes = part(name)
        failed += [name] if code else []
        with REPORT.open("a") as report:
            report.write(f"{name}: {'FAILED' if code else 'held'} after {minutes:.1f} minutes\n")
    print(REPORT.read_text())
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
