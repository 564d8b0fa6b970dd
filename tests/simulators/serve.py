"""`make demo-servers`: a Plex and a Trakt that are simulated, to try cwsync without an account anywhere.

    PYTHONPATH=tests python -m simulators.serve [--folder DIR] [--port N] [--cwsync COMMAND]

The library is that of the demo (`examples/demo`). Nothing leaves this machine, and nothing is kept: each
start begins anew, in a folder that is made anew as well. Logins are approved at once.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cwsync.model import Entry, Feature, Item, Kind, Listed, Play, Position, Rated, Value, external_id
from simulators.both import Both
from simulators.trakt import CLIENT_SECRET

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo"
FOLDER = ROOT / "build" / "demo-servers"
MARKER = ".made-by-the-cwsync-demo-servers"
PORT = 8480
PAIR = """
[pairs.plex-trakt]
source = "plex"
target = "trakt"
mode = "two-way"
[pairs.plex-trakt.history]
[pairs.plex-trakt.ratings]
[pairs.plex-trakt.watchlist]
"""
WELCOME = """\
A Plex and a Trakt, simulated, on this machine only. In another terminal:

  export CWSYNC_CONFIG={folder}/pairs.toml CWSYNC_STATE_DIR={folder}/state
  {cwsync} auth login plex         # what a person would enter in a browser is approved here, at once
  {cwsync} auth login trakt
  {cwsync} check
  {cwsync} plan                    # a dry run: nothing is written
  {cwsync} run --apply
  {cwsync} run --apply             # nothing is left to do

Watch "{title}" at the Plex, and see that plan finds it:

  curl -H 'X-Plex-Token: {token}' '{pms}/:/scrobble?identifier=com.plexapp.plugins.library&key={key}'

This is {folder}/pairs.toml:

{pairs}
Ctrl-C ends it."""
Row = Mapping[str, Any]


class InUseError(Exception):
    """A port is taken."""


# --- the library ----------------------------------------------------------------------------------


def _ids(kind: Kind, row: Row) -> tuple[Any, ...]:
    return tuple(external_id(service, kind, value) for service, value in sorted(row.get("ids", {}).items()))


def item_of(row: Row) -> Item:
    """The title of a row of a tracker file."""
    kind = Kind(row["type"])
    show = row.get("show")
    if show is None:
        return Item(kind, _ids(kind, row), row.get("title"), row.get("year"))
    return Item(
        kind,
        _ids(kind, row),
        row.get("title"),
        None,
        _ids(Kind.SHOW, show),
        row["season"],
        row.get("episode"),
        show.get("title"),
        show.get("year"),
    )


def _when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def value_of(feature: Feature, row: Row) -> Value:
    """What was done with that title. Plex and Trakt know no half points: 8.5 is 9."""
    if feature is Feature.HISTORY:
        return Play(_when(row["watched_at"]))
    if feature is Feature.RATINGS:
        return Rated(int(row["rating"] + 0.5) * 10, _when(row["rated_at"]))
    if feature is Feature.PROGRESS:
        return Position(row["position_ms"], row["duration_ms"], _when(row["updated_at"]))
    return Listed(_when(row["listed_at"]))


def fill(both: Both) -> list[Item]:
    """What the demo has at `home` is at the Plex, what it has at `backup` is at the Trakt. Gives all titles."""
    titles: list[Item] = []
    held: list[tuple[str, Feature, Entry]] = []
    for feature in Feature:
        for side in ("home", "backup"):
            for row in json.loads((DEMO / side / f"{feature.value}.json").read_text("utf-8"))["items"]:
                # The two sides of the demo know different ids of some titles, a service knows all.
                new = item_of(row)
                item = next((one for one in titles if set(one.tokens()) & set(new.tokens())), new)
                titles.append(item)
                held.append((side, feature, Entry(item, value_of(feature, row))))
    both.know(titles)
    for feature in Feature:
        both.shelf.hold(both.owner, [entry for side, of, entry in held if (side, of) == ("home", feature)])
        both.trakt.put(feature, [entry for side, of, entry in held if (side, of) == ("backup", feature)])
    return titles


# --- the folder and the ports ----------------------------------------------------------------------


def prepare(folder: Path, pairs: str) -> None:
    """Make the folder anew; one that is not ours is never removed."""
    if folder.exists() and not (folder / MARKER).is_file():
        if not folder.is_dir() or any(folder.iterdir()):
            raise OSError(f"{folder} was not made by this; remove it, or name another one with --folder")
        folder.rmdir()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    (folder / "pairs.toml").write_text(pairs, "utf-8")
    secret = folder / "trakt.secret"
    secret.touch(0o600)
    secret.write_text(CLIENT_SECRET, "utf-8")


def opened(port: int) -> Both:
    """Both services on five ports in a row; 0 is any that are free. Raises `InUseError`."""
    try:
        return Both(range(port, port + 5) if port else (0,) * 5)
    except OSError as error:
        message = (
            f"cannot use the ports {port} to {port + 4} ({error.strerror}); try another: make demo-servers PORT=9000"
        )
        raise InUseError(message) from error


def serve(folder: Path, port: int, cwsync: str) -> None:
    """Serve until a signal asks to stop."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with opened(port) as both, both.person(lambda name: print(f"approved a login at the {name}", flush=True)):
        titles = fill(both)
        pairs = both.accounts() + PAIR
        prepare(folder, pairs)
        film = next(one for one in titles if one.title == "Stalker")
        about = {"title": film.title, "key": both.shelf.row(film).key, "pms": both.plex.pms.url}
        where = {"folder": folder, "cwsync": cwsync, "token": both.owner.token}
        print(WELCOME.format(pairs=pairs, **about, **where), flush=True)
        stop.wait()
    print("stopped", flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="simulators.serve", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for pairs.toml and the state; made anew")
    parser.add_argument("--port", type=int, default=PORT, help="the first of five ports on 127.0.0.1")
    parser.add_argument("--cwsync", default="cwsync", help="how to call cwsync")
    options = parser.parse_args(words)
    try:
        serve(options.folder.resolve(), options.port, options.cwsync)
    except (InUseError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
