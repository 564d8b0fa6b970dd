"""Every guard and every mechanism of the law, each switched off in a way of its own.

A mutant is a small edit of one source file after which the product breaks a promise. They stand in
the text files beside this module, in the form of a patch that a person can read::

    ## MECHANISM | FILE BELOW src/cwsync | TEST FILES (OR FILE::TEST) THAT SHOULD NOTICE
    @ what is wrong then
    - the text as it is, which stands exactly once in the file (may be a part of a line)
    + the text instead

A heading holds for the mutants below it. The number of a mechanism is that of its section of the law
(0: the outside contract). The defaults are made here from a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCES = ROOT / "src"
LISTS = ("guards", "planner", "engine", "past", "state", "outside", "network")

# What the law names and must have a mutant; a list that forgets one fails a test.
MECHANISMS = """
1 completeness | 1 a failed read raises | 1 undecoded rows protect their key | 1 ids with their kind
1 what left a library was not taken away
2 change within one side | 2 settling marks | 2 tombstones | 2 doubt marks | 2 effect marks
2 moves on proof only | 2 whole-record rule | 2 parked
3 the table | 3 nothing removed that was never agreed | 3 remove = false | 3 mirror
3 first run removes nothing | 3 double look | 3 one class each | 3 the quick answer is the slow one
4 history | 4 progress | 4 precision | 4 order | 4 what a side cannot do
5 ambiguous is held | 5 native-key link | 5 title-year never deletes | 5 aliases cause no write
6 account | 6 filters | 6 complete | 6 empty | 6 removes | 6 budget | 6 budget memory | 6 updates | 6 adds
6 overlap | 6 clock | 6 age | 6 flap | 6 a guard stops everything | 6 --accept for exactly that plan | 6 defaults
7 locks | 7 lock order | 7 fence by stamp | 7 fence by point read | 7 idempotent-add point read
7 journal before write | 7 a failed disk is final | 7 an outage ends the writing | 7 a signal ends the writing
7 commit before retire | 7 replay never resends | 7 replay twice is once | 7 exact-watermark proof
7 doubts are settled first | 7 neighbours' marks | 7 fast-path evidence | 7 remembered generation
7 dry run writes nothing | 7 saved plan | 7 fsync | 7 whole or not at all | 7 journal chain | 7 state checksum
7 last run | 7 history | 7 undo | 7 one writer in a folder | 7 a write is sent once | 7 Retry-After
9 slow servers | 9 redirects | 9 origins | 9 TLS | 9 caps
9 strict JSON | 9 symlinks | 9 modes | 9 sanitiser | 9 secrets | 9 redaction | 9 tokens | 9 names
0 exit codes | 0 forgetting is asked for
"""

# What is not in the lists, and why no test could tell it from the product.
EQUIVALENT = (
    (
        "files.py: O_NOFOLLOW",
        "each path is looked at by `refuse_symlink` first; the flag closes only the instant between",
    ),
    ("files.py: mode 0o600 of `os.open`, 0o700 of `mkdir`", "`fchmod` and `chmod` set the mode whatever it was"),
    ("journal.py: the number `n` of a line", "the chain of hashes finds every line that is missing, twice or moved"),
    (
        "questions.py: a fingerprint of None",
        "None equals no fingerprint, so the run is a union anyway; only the words differ",
    ),
    ("decide.py: mirror on a first run", "the obstacle of the first run holds the same removal under another word"),
    ("write.py: the date of a play is never rewritten", "two plays of one record agree, so no update of one is wished"),
    ("lock.py: one deadline for all locks", "it only bounds how long a run waits, and no test here measures time"),
    (
        "fastpath.py: that a plan with changes or notes, or rows that wait for a time, are no evidence",
        "each of them has a class other than `same` in the plan's counts, which is no evidence either",
    ),
    ("lock.py: SoftFileLock", "only a platform without kernel locks has it"),
    (
        "baseline.py: FLAP_WINDOW longer than a day",
        "the guard counts within its own day; older times are only kept longer",
    ),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit. `tests` are files below ``tests/`` (or tests in one) that should fail with it, the likeliest first."""

    name: str
    law: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The source file, relative to the folder of the sources."""
        return Path("cwsync", self.file)

    def applied(self, text: str) -> str:
        """The text of the source file with the edit. Raises ``ValueError`` unless it fits exactly once."""
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.law}: {self.name}: the old text is in {self.file} {found} times")
        return text.replace(self.old, self.new)

    def __str__(self) -> str:
        return f"{self.law}: {self.name}"


def read_list(path: Path) -> Iterator[Mutant]:
    """The mutants of one text file. Raises ``ValueError`` for a line that belongs to nothing."""
    heading: list[str] = []
    name, old, new = "", [""], [""]
    for line in [*path.read_text(encoding="utf-8").splitlines(), "@"]:
        if line.startswith(("##", "@")) and name:
            yield Mutant(name, heading[0], heading[1], "\n".join(old), "\n".join(new), tuple(heading[2].split()))
            name = ""
        if line.startswith("##"):
            heading = [part.strip() for part in line[2:].split("|")]
        elif line.startswith("@"):
            name, old, new = line[1:].strip(), [], []
        elif name and line[:1] in ("-", "+"):
            (old if line[0] == "-" else new).append(line[2:])
        elif line and not line.startswith("#"):
            raise ValueError(f"{path.name}: {line!r} belongs to no mutant")


_NUMBERS = {
    "max_remove_percent": ("Percent", 10),
    "max_remove": ("Count", 100),
    "free_removes": ("Count", 5),
    "max_add_percent": ("Percent", 50),
    "free_adds": ("Count", 50),
    "max_update_percent": ("Percent", 30),
    "free_updates": ("Count", 10),
    "min_overlap_percent": ("Percent", 90),
}
_RULES = {
    "min_seconds: Count = 60": ("59", "61"),
    "delta_seconds: Count = 30": ("29", "31"),
    "max_percent: Percent = 95": ("94", "96"),
    "    add: bool = True": ("False",),
    "    update: bool = True": ("False",),
    "    remove: bool = False": ("True",),
    "remove_mode: Annotated[RemoveMode, _Lax] = RemoveMode.FOLLOW": ("RemoveMode.MIRROR",),
    "conflict: Annotated[Conflict, _Lax] = Conflict.SOURCE": ("Conflict.TARGET", "Conflict.KEEP"),
    "hold_new: Duration = timedelta(0)": ("timedelta(1)",),
    "BeforeValidator(_hold_removed)] = None": ("timedelta(0)",),
    "plays: Annotated[Plays, _Lax] = Plays.NEWEST": ("Plays.ALL",),
    "on_guard: Annotated[OnGuard, _Lax] = OnGuard.STOP": ("OnGuard.HOLD",),
    "mode: Annotated[Mode, _Lax] = Mode.ONE_WAY": ("Mode.TWO_WAY",),
    "match: Annotated[Match, _Lax] = Match.IDS": ("Match.TITLE_YEAR",),
}


def defaults() -> Iterator[Mutant]:
    """Each default of the contract, one off in both directions or the other way round."""
    law, schema, specs = "6 defaults", "config/schema.py", "model/specs.py"
    example, guards = ("unit/test_config_example.py", "unit/test_config.py"), ("unit/test_planner_guards.py",)
    for name, (kind, number) in _NUMBERS.items():
        for other in (number - 1, number + 1):
            said = f"{name} is {other}"
            here, there = f"    {name}: {kind} = {number}\n", f"    {name}: int = {number}\n"
            yield Mutant(f"{said} in the file", law, schema, here, here.replace(str(number), str(other)), example)
            yield Mutant(f"{said} in a pair", law, specs, there, there.replace(str(number), str(other)), guards)
    for old, others in _RULES.items():
        head, _, _ = old.rpartition(" = ")
        name = head.strip().partition(":")[0]
        for word in others:
            yield Mutant(f"{name} is {word} in the file", law, schema, f"{old}\n", f"{head} = {word}\n", example)
    lag, values = "staleness: timedelta = timedelta(minutes=15)", ("unit/test_planner_values.py",)
    for other in (14, 16):
        new = lag.replace("15", str(other))
        yield Mutant(f"a provider lags {other} minutes", law, "model/capabilities.py", lag, new, values)


def all_mutants() -> tuple[Mutant, ...]:
    """Every mutant, in the order of the lists."""
    found = [mutant for name in LISTS for mutant in read_list(HERE / f"{name}.txt")]
    return (*found, *defaults())


def mechanisms() -> tuple[str, ...]:
    """The names that must have a mutant, in the order of the law."""
    return tuple(name.strip() for line in MECHANISMS.split("\n") for name in line.split("|") if name.strip())
