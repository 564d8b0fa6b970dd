"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Pairs = Annotated[list[str] | None, typer.Argument(metavar="PAIR", help="Pairs of the file.", show_default=False)]
PairName = Annotated[str, typer.Argument(metavar="PAIR", help="A pair of the file.")]
All = Annotated[bool, typer.Option("--all", help="All pairs of the file.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Features = Annotated[
    list[str] | None,
    typer.Option(
        "--feature",
        metavar="FEATURE",
        help="watchlist, ratings, history or progress; may be repeated.",
        show_default=False,
    ),
]
Full = Annotated[bool, typer.Option("--full", help="Read everything, even where a fast path says nothing moved.")]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=1, help="At most N writes per feature; the rest waits.", show_default=False
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DATE", help="Only records of this day or later.", show_default=False),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="DATE", help="Only records of this day or earlier.", show_default=False),
]
AddsOnly = Annotated[bool, typer.Option("--adds-only", help="Neither update nor remove anything.")]
LockTimeout = Annotated[
    float,
    typer.Option(
        "--lock-timeout", metavar="SECONDS", min=0, help="How long to wait for a lock (0).", show_default=False
    ),
]
IfLocked = Annotated[
    str,
    typer.Option(
        "--if-locked", metavar="fail|skip|wait", help="What to do when it stays held (fail).", show_default=False
    ),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Save the plan.", show_default=False)]
DetailedExit = Annotated[bool, typer.Option("--detailed-exitcode", help="Exit 10 when the plan has changes.")]
Apply = Annotated[bool, typer.Option("--apply", help="Write. Without it nothing is changed anywhere.")]
Saved = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="Apply exactly this saved plan.", show_default=False),
]
Accept = Annotated[
    str | None,
    typer.Option("--accept", metavar="DIGEST", help="Let a refused plan through, once.", show_default=False),
]
