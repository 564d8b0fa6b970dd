"""Reading secrets, and telling where they come from without telling them."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

import pytest

from cwsync.config import describe_secret, resolve_secret
from cwsync.config import secrets as module
from cwsync.errors import ConfigError, Exit
from cwsync.model import SecretRef

WHERE = "accounts.x.token"


def python(code: str) -> SecretRef:
    return SecretRef("command", sys.executable, argv=(sys.executable, "-c", code))


def kept(path: Path, data: bytes = b"s3cret\n", mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def refused(ref: SecretRef) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        resolve_secret(ref, where=WHERE)
    error = caught.value
    assert error.exit_code is Exit.USAGE
    assert error.where == WHERE
    assert "s3cret" not in "".join(traceback.format_exception(error)).replace("print('s3cret", "")
    return error


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b" s3 cret \n", " s3 cret "),
        ("sécret".encode(), "sécret"),
        (b"", None),
        (b"\n", None),
        (b"  \n", None),
        (b"s3cret\n\n", None),
        (b"s3cret\nuser: me\n", None),
        (b"s3cret\x00", None),
        (b"s3cret\xff", None),
        (b"s3cret" * 20_000, None),
    ],
)
def test_the_text_of_a_secret(tmp_path: Path, data: bytes, secret: str | None) -> None:
    path = kept(tmp_path / "token", data)
    ref = SecretRef("file", str(path))
    command = python(f"import sys; sys.stdout.buffer.write(open({str(path)!r}, 'rb').read())")
    if secret is None:
        refused(ref)
        refused(command)
        assert not describe_secret(ref, {})[0]
    else:
        assert resolve_secret(ref, where=WHERE) == secret
        assert resolve_secret(command, where=WHERE) == secret
        assert describe_secret(ref, {}) == (True, f"file {path}")


def test_inline_and_env() -> None:
    assert resolve_secret(SecretRef("inline", WHERE, inline="s3cret"), where=WHERE) == "s3cret"
    assert resolve_secret(SecretRef("env", "T", inline="s3cret"), where=WHERE) == "s3cret"
    error = refused(SecretRef("env", "T"))
    assert str(error) == f"{WHERE}: no secret from env T: it is not set"
    assert error.hint == "set T in the environment"
    assert "is empty" in str(refused(SecretRef("env", "T", inline="")))
    assert "not one line" in str(refused(SecretRef("env", "T", inline="a\udcff")))
    assert "not one line" in str(refused(SecretRef("inline", WHERE, inline="s3cret\nX-Header: y")))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_a_file_that_others_can_read_is_refused_with_the_fix(tmp_path: Path, mode: int) -> None:
    path = kept(tmp_path / "to ken", mode=mode)
    error = refused(SecretRef("file", str(path)))
    assert "others can read or write it" in str(error)
    assert error.hint == f"chmod 600 '{path}'"
    ok, text = describe_secret(SecretRef("file", str(path)), {})
    assert not ok
    assert f"chmod 600 '{path}'" in text


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "cannot be read: No such file or directory"),
        (lambda path: path.mkdir(0o700), "cannot be read: it is a folder"),
        (os.mkfifo, "cannot be read: it is not a regular file"),
        (lambda path: path.symlink_to("nowhere"), "cannot be read: No such file or directory"),
        (lambda path: kept(path, b"x" * 70_000), "cannot be read: longer than 65536 bytes"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, make, told: str) -> None:
    path = tmp_path / "token"
    make(path)
    assert str(refused(SecretRef("file", str(path)))) == f"{WHERE}: no secret from file {path}: {told}"
    assert describe_secret(SecretRef("file", str(path)), {}) == (False, f"file {path}: {told}")


def test_a_file_of_no_permission(tmp_path: Path) -> None:
    path = kept(tmp_path / "token", mode=0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser reads everything")
    assert "Permission denied" in str(refused(SecretRef("file", str(path))))


def test_a_symlink_of_ones_own_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(kept(tmp_path / "token"))
    assert resolve_secret(SecretRef("file", str(tmp_path / "link")), where=WHERE) == "s3cret"


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser gives files away")
@pytest.mark.parametrize("given_away", ["link", "token"])
def test_a_symlink_of_someone_else_is_not(tmp_path: Path, given_away: str) -> None:
    (tmp_path / "link").symlink_to(kept(tmp_path / "token"))
    os.chown(tmp_path / given_away, 12345, -1, follow_symlinks=False)
    if not os.access(tmp_path / "token", os.R_OK):
        pytest.skip("a superuser without the right to read everything")
    error = refused(SecretRef("file", str(tmp_path / "link")))
    assert "someone else" in str(error)
    assert error.hint == "name the file itself"


def test_a_credential(tmp_path: Path) -> None:
    path = kept(tmp_path / "token", mode=0o440)
    assert resolve_secret(SecretRef("credential", str(path)), where=WHERE) == "s3cret"
    assert describe_secret(SecretRef("credential", str(path)), {}) == (True, f"credential {path}")
    error = refused(SecretRef("credential", "token"))
    assert "$CREDENTIALS_DIRECTORY is not set" in str(error)
    assert "LoadCredential=token:" in (error.hint or "")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import sys; print('s3cret'); sys.exit(3)", "it failed with status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "it failed with status -15"),
        ("print('x' * 70000)", "it printed more than 65536 bytes"),
        ("while True: print('x' * 1000)", "it printed more than 65536 bytes"),
        ("pass", "it is empty"),
    ],
)
def test_commands_that_fail(code: str, told: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = f"import sys; print('s3cret', file=sys.stderr)\n{code}"
    assert str(refused(python(code))) == f"{WHERE}: no secret from command {sys.executable}: {told}"
    assert capfd.readouterr() == ("", "")


def test_there_is_no_shell_and_no_input() -> None:
    echo = SecretRef("command", "echo", argv=("echo", "$HOME; `id` | cat"))
    assert resolve_secret(echo, where=WHERE) == "$HOME; `id` | cat"
    assert resolve_secret(python("import sys; print(len(sys.stdin.read()))"), where=WHERE) == "0"


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "import os, time; os.close(1); time.sleep(60)"])
def test_a_command_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    begun = time.monotonic()
    assert "did not finish within 0.2 s" in str(refused(python(code)))
    assert time.monotonic() - begun < 10


def test_a_helper_that_stays_behind_is_not_waited_for() -> None:
    code = "import os, time\nprint('s3cret', flush=True)\nif os.fork() == 0: time.sleep(20)"
    begun = time.monotonic()
    assert resolve_secret(python(code), where=WHERE) == "s3cret"
    assert time.monotonic() - begun < 10


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    missing = SecretRef("command", "no-such-program", argv=("no-such-program",))
    assert "it cannot be started: No such file or directory" in str(refused(missing))
    assert describe_secret(missing, {"PATH": str(tmp_path)}) == (False, "command no-such-program: no such program")


def test_describing_a_command_does_not_run_it(tmp_path: Path) -> None:
    program = kept(tmp_path / "get", b"#!/bin/sh\ntouch ran\n", 0o700)
    ref = SecretRef("command", "get", argv=("get",))
    assert describe_secret(ref, {"PATH": str(tmp_path)}) == (True, "command get (not run)")
    assert list(tmp_path.iterdir()) == [program]


def test_descriptions_hold_no_secret(tmp_path: Path) -> None:
    path = kept(tmp_path / "token")
    for ref, environ in [
        (SecretRef("inline", WHERE, inline="s3cret"), {}),
        (SecretRef("env", "T", inline="s3cret"), {"T": "s3cret"}),
        (SecretRef("env", "T", inline="s3cret"), {}),
        (SecretRef("env", "T"), {"T": "s3cret\n\ns3cret"}),
        (SecretRef("file", str(path)), {}),
        (python("print('s3'+'cret')"), {}),
    ]:
        assert "s3cret" not in describe_secret(ref, environ)[1]
    assert describe_secret(SecretRef("env", "T"), {"T": "x"}) == (True, "env T")
    assert describe_secret(SecretRef("env", "T"), {}) == (
        False,
        "env T: it is not set (hint: set T in the environment)",
    )
    assert describe_secret(SecretRef("inline", WHERE, inline="x"), {}) == (True, "written in the file")
