"""Where the file and the state are: the command line, then the environment, then the user's folders.

Nothing is made here, and nothing is read but whether the file exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cwsync.errors import ConfigError

_FILE = "pairs.toml"


def find_config(explicit: Path | None, environ: Mapping[str, str]) -> Path:
    """The configuration file, as an absolute path.

    It is `explicit` (``--config``), else ``$CWSYNC_CONFIG``, else in ``$CONFIGURATION_DIRECTORY``
    (the first of its folders that has one), else in the user's own configuration folder.
    Raises `ConfigError` that names each place looked at when there is no file.
    """
    places = _config_places(explicit, environ)
    for place, _ in places:
        if _exists(place):
            return place
    looked = ", ".join(f"{place} ({why})" for place, why in places)
    raise ConfigError(
        f"no configuration file; looked at {looked}",
        hint="copy examples/pairs.toml there and edit it, or name another file with --config FILE",
    )


def find_state_dir(explicit: Path | None, environ: Mapping[str, str]) -> Path:
    """The state folder, as an absolute path. It need not exist; none is made.

    It is `explicit` (``--state-dir``), else ``$CWSYNC_STATE_DIR``, else the first folder of
    ``$STATE_DIRECTORY``, else the user's own.
    Raises `ConfigError` when the user has no home to put it in.
    """
    if explicit is not None:
        return _absolute(explicit, environ, "--state-dir")
    if named := environ.get("CWSYNC_STATE_DIR"):
        return _absolute(Path(named), environ, "$CWSYNC_STATE_DIR")
    if folders := _folders(environ.get("STATE_DIRECTORY", "")):
        return folders[0].absolute()
    return _user_folder("state", environ, "--state-dir DIR")


def expand_home(path: Path, environ: Mapping[str, str]) -> Path:
    """`path` with a leading ``~`` or ``~name`` replaced. Raises ``ValueError`` when there is no such home."""
    first = path.parts[0] if path.parts else ""
    if not first.startswith("~"):
        return path
    if first == "~" and environ.get("HOME"):
        return Path(environ["HOME"], *path.parts[1:])
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"cannot tell where the home {first!r} is") from None


def _config_places(explicit: Path | None, environ: Mapping[str, str]) -> list[tuple[Path, str]]:
    """Each place to look at, in order, and what named it. The first source that says anything decides."""
    if explicit is not None:
        return [(_absolute(explicit, environ, "--config"), "--config")]
    if named := environ.get("CWSYNC_CONFIG"):
        return [(_absolute(Path(named), environ, "$CWSYNC_CONFIG"), "$CWSYNC_CONFIG")]
    if folders := _folders(environ.get("CONFIGURATION_DIRECTORY", "")):
        return [((folder / _FILE).absolute(), "$CONFIGURATION_DIRECTORY") for folder in folders]
    return [(_user_folder("config", environ, "--config FILE") / _FILE, "the user's configuration")]


def _folders(text: str) -> list[Path]:
    # systemd joins several folders with colons.
    return [Path(part) for part in text.split(":") if part]


def _absolute(path: Path, environ: Mapping[str, str], where: str) -> Path:
    try:
        return expand_home(path, environ).absolute()
    except ValueError as error:
        raise ConfigError(str(error), where=where, hint="write the path out in full") from None


def _user_folder(kind: Literal["config", "state"], environ: Mapping[str, str], option: str) -> Path:
    """The user's own folder for cwsync, by the custom of the system."""
    import platformdirs

    given = environ.get(f"XDG_{kind.upper()}_HOME", "")
    if Path(given).is_absolute():
        return Path(given, "cwsync")
    make = platformdirs.user_config_path if kind == "config" else platformdirs.user_state_path
    try:
        folder = make("cwsync", appauthor=False)
    except RuntimeError:
        folder = Path("~")
    # Without a sound home the answer would be a relative path, or one right under the root.
    if not folder.is_absolute() or not Path(environ.get("HOME", "/")).is_absolute():
        raise ConfigError(f"this user has no home folder, so there is no {kind} folder", hint=f"say where: {option}")
    return folder


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # It may be there; reading it tells what is wrong.
        return True
