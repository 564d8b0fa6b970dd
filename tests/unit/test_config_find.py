"""Where the file and the state are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cwsync.config import find_config, find_state_dir
from cwsync.errors import ConfigError, Exit


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the user that runs the test, and nothing else in the environment."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_first_that_says_anything_decides(tmp_path: Path, home: Path) -> None:
    explicit, named = made(tmp_path / "explicit.toml"), made(tmp_path / "named.toml")
    service, user = made(tmp_path / "etc/pairs.toml"), made(home / ".config/cwsync/pairs.toml")
    environ = {"HOME": str(home)}
    assert find_config(None, environ) == user
    environ["CONFIGURATION_DIRECTORY"] = str(tmp_path / "etc")
    assert find_config(None, environ) == service
    environ["CWSYNC_CONFIG"] = str(named)
    assert find_config(None, environ) == named
    assert find_config(explicit, environ) == explicit


@pytest.mark.parametrize(
    ("have", "found"), [(["one", "two"], "one"), (["two"], "two"), (["two", "three"], "two"), (["three"], "three")]
)
def test_the_first_folder_of_the_service_that_has_the_file(tmp_path: Path, have: list[str], found: str) -> None:
    for name in have:
        made(tmp_path / name / "pairs.toml")
    folders = ":".join(["", *(str(tmp_path / name) for name in ("one", "two", "three"))])
    assert find_config(None, {"CONFIGURATION_DIRECTORY": folders}) == tmp_path / found / "pairs.toml"


def test_paths_are_absolute_and_the_home_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = made(tmp_path / "pairs.toml")
    monkeypatch.chdir(tmp_path)
    assert find_config(Path("pairs.toml"), {}) == file
    assert find_config(None, {"CWSYNC_CONFIG": "~/pairs.toml", "HOME": str(tmp_path)}) == file
    assert find_config(None, {"CONFIGURATION_DIRECTORY": "."}) == file
    assert find_state_dir(Path("state"), {}) == tmp_path / "state"
    assert find_state_dir(None, {"STATE_DIRECTORY": "state"}) == tmp_path / "state"


def test_xdg_comes_from_the_mapping_given(tmp_path: Path, home: Path) -> None:
    file = made(tmp_path / "xdg/cwsync/pairs.toml")
    assert find_config(None, {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}) == file
    assert find_state_dir(None, {"XDG_STATE_HOME": str(tmp_path / "xdg")}) == tmp_path / "xdg/cwsync"
    assert find_state_dir(None, {"XDG_STATE_HOME": "not/absolute"}) == home / ".local/state/cwsync"


@pytest.mark.parametrize(
    ("explicit", "environ", "looked"),
    [
        ("no.toml", {"CWSYNC_CONFIG": "{base}/other"}, "{base}/no.toml (--config)"),
        (None, {"CWSYNC_CONFIG": "{base}/no.toml"}, "{base}/no.toml ($CWSYNC_CONFIG)"),
        (
            None,
            {"CONFIGURATION_DIRECTORY": "{base}/a:{base}/b"},
            "{base}/a/pairs.toml ($CONFIGURATION_DIRECTORY), {base}/b/pairs.toml ($CONFIGURATION_DIRECTORY)",
        ),
        (None, {"CWSYNC_CONFIG": ""}, "{base}/home/.config/cwsync/pairs.toml (the user's configuration)"),
    ],
)
def test_a_missing_file_names_every_place(
    tmp_path: Path, home: Path, explicit: str | None, environ: dict[str, str], looked: str
) -> None:
    at = str(tmp_path)
    given = {name: value.replace("{base}", at) for name, value in environ.items()}
    with pytest.raises(ConfigError) as caught:
        find_config(tmp_path / explicit if explicit else None, given)
    assert str(caught.value) == "no configuration file; looked at " + looked.replace("{base}", at)
    assert "--config" in (caught.value.hint or "")
    assert caught.value.exit_code is Exit.USAGE


def test_what_cannot_be_looked_into_may_be_there(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    assert find_config(path, {}) == path


def test_the_state_folder(tmp_path: Path, home: Path) -> None:
    environ = {"HOME": str(home)}
    assert find_state_dir(None, environ) == home / ".local/state/cwsync"
    environ["STATE_DIRECTORY"] = f"{tmp_path}/one:{tmp_path}/two"
    assert find_state_dir(None, environ) == tmp_path / "one"
    environ["CWSYNC_STATE_DIR"] = "~/state"
    assert find_state_dir(None, environ) == home / "state"
    assert find_state_dir(tmp_path / "given", environ) == tmp_path / "given"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", "not/absolute"])
def test_no_home(home: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HOME", value)
    with pytest.raises(ConfigError, match="no home folder") as caught:
        find_state_dir(None, {"HOME": value})
    assert "--state-dir" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="no home folder") as caught:
        find_config(None, {"HOME": value})
    assert "--config" in (caught.value.hint or "")


def test_a_user_that_the_system_does_not_know(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(ConfigError, match="no home folder"):
        find_state_dir(None, {})
    with pytest.raises(ConfigError, match="cannot tell where the home") as caught:
        find_config(Path("~/pairs.toml"), {})
    assert caught.value.hint
