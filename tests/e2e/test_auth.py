"""Logging in and out with the real command, at a real service on loopback."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cwsync.errors import Exit
from support.desk import PIN, Desk, DeskShell
from support.httpserver import Server, drop_after, drop_before, status
from support.shell import film, finish, until

PAIRS = """
[accounts.desk]
path = "desk"
url = "{url}"
{more}
[accounts.home]
provider = "tracker"
path = "home"

[pairs.both]
source = "home"
target = "desk"
[pairs.both.ratings]
"""
CANARIES = ("desk-access-canary", "desk-refresh-canary", "desk-device-canary", PIN)


class Office:
    """The service, and a folder of someone who uses it."""

    def __init__(self, folder: Path, desk: Desk, server: Server, more: str = "") -> None:
        self.desk = desk
        self.server = server
        folder.mkdir(exist_ok=True)
        self.shell = DeskShell(folder, PAIRS.format(url=server.url, more=more))
        self.shell.put("home", film(1, 8))
        self.tokens = self.shell.state / "tokens" / "desk.json"

    def stored(self) -> Any:
        """What is kept of the login, its secrets as well."""
        return json.loads(self.tokens.read_bytes())


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def at(tmp_path: Path, desk: Desk) -> Iterator[Office]:
    with desk.open() as server:
        yield Office(tmp_path, desk, server)


def clean(*texts: str) -> None:
    for text in texts:
        assert not [canary for canary in CANARIES if canary in text]
        assert "Traceback" not in text


def test_a_login_shows_a_code_waits_and_keeps_what_it_gets(at: Office) -> None:
    at.desk.approved = False
    with at.shell.start("auth login desk") as process:
        until(lambda: at.desk.asked > 3, "the command to ask")
        at.desk.approved = True
        done = finish(process)
    assert done.code == 0, done.err
    assert "    https://desk.example/go\n" in done.err
    assert "    ABCD-1234\n" in done.err
    assert done.out.startswith("desk: logged in as desk:kim\nuntil 20")
    assert "(6 days left), renews itself" in done.out
    assert oct(at.tokens.stat().st_mode & 0o777) == "0o600"
    assert at.stored()["chosen"] == {"user": "u-kim"}
    clean(done.out, done.err)
    assert at.shell("run --apply").code == 0
    assert at.shell.held("desk")


def test_nothing_of_a_login_is_said_at_all_verbosities(at: Office) -> None:
    for line in ("auth login desk -vv", "plan -vv", "auth status -vv --json", "check -vv", "auth logout desk -vv"):
        done = at.shell(line)
        assert done.code == 0, done.err
        clean(done.out, done.err)


def test_without_a_login_a_run_says_what_to_type(at: Office) -> None:
    done = at.shell("run --apply")
    assert done.code == Exit.LOGIN
    assert "desk: not logged in" in done.out + done.err
    assert "cwsync auth login desk" in done.out + done.err
    assert at.shell("auth status desk").code == Exit.LOGIN
    assert at.shell("auth status home").code == 0


def test_status_tells_all_accounts(at: Office) -> None:
    at.shell("auth login desk")
    before = at.shell.marks()
    done = at.shell("auth status --json")
    found = {one["account"]: one for one in done.json["accounts"]}
    assert found["home"]["state"] == "not-needed"
    desk = found["desk"]
    assert (desk["state"], desk["account_id"], desk["renews"]) == ("logged-in", "desk:kim", True)
    assert 6.9 < desk["days_left"] <= 7
    assert desk["comes_from"] == str(at.tokens)
    page = at.shell("auth status").out
    assert "desk     desk      logged in" in page
    assert at.shell.marks() == before


def test_a_secret_of_the_file_stands_in_for_a_login(tmp_path: Path) -> None:
    desk = Desk()
    desk.good = {"desk-access-canary-9": "kim"}
    with desk.open() as server:
        at = Office(tmp_path, desk, server, 'token = { env = "DESK_TOKEN" }')
        env = {"DESK_TOKEN": "desk-access-canary-9"}
        assert at.shell("run --apply", env=env).code == 0
        told = at.shell("auth status", env=env)
        assert "env DESK_TOKEN" in told.out
        done = at.shell("auth login desk", env=env)
        assert done.code == Exit.USAGE
        assert "its token comes from env DESK_TOKEN" in done.err
        missing = at.shell("auth status")
        assert missing.code == Exit.USAGE
        assert "it is not set" in missing.out
        clean(told.out, done.err, missing.out)


# --- choosing -------------------------------------------------------------------------------------


def test_without_a_terminal_a_choice_is_refused_and_the_file_can_make_it(tmp_path: Path) -> None:
    desk = Desk("kim", "sam")
    with desk.open() as server:
        at = Office(tmp_path / "a", desk, server)
        done = at.shell("auth login desk")
        assert done.code == Exit.USAGE
        assert "there is no terminal to ask on: Whose account? kim, sam" in done.err
        assert 'hint: answer in the file: user = "..." in [accounts.desk]' in done.err
        assert not at.tokens.exists()
        at = Office(tmp_path / "b", desk, server, 'user = "sam"')
        assert at.shell("auth login desk").code == 0
        assert at.stored()["account_id"] == "desk:sam"
        at = Office(tmp_path / "c", desk, server, 'user = "pat"')
        done = at.shell("auth login desk")
        assert done.code == Exit.USAGE
        assert "'pat' is none of them" in done.err
        assert "kim (u-kim), sam (u-sam)" in done.err


def test_on_a_terminal_it_is_asked_and_a_pin_is_not_shown(tmp_path: Path) -> None:
    desk = Desk("kim", "boss")
    with desk.open() as server:
        at = Office(tmp_path, desk, server)
        code, told = at.shell.terminal(
            "auth login desk", talk=[("1 to 2: ", "9\n"), ("1 to 2: ", "2\n"), ("boss: ", f"{PIN}\n")]
        )
        assert code == 0, told
        assert "  1  kim" in told
        assert at.stored()["account_id"] == "desk:boss"
        clean(told)
        code, told = at.shell.terminal("auth login desk", talk=[("1 to 2: ", "2\n"), ("boss: ", "1234\n")])
        assert code == Exit.LOGIN
        assert "wrong PIN" in told
        assert at.stored()["account_id"] == "desk:boss"


def test_a_pin_may_come_from_a_secret(tmp_path: Path) -> None:
    desk = Desk("kim", "boss")
    with desk.open() as server:
        at = Office(tmp_path, desk, server, 'user = "u-boss"\npin = { env = "DESK_PIN" }')
        assert at.shell("auth login desk", env={"DESK_PIN": PIN}).code == 0
        assert at.stored()["account_id"] == "desk:boss"


def test_giving_up_leaves_everything_as_it_was(tmp_path: Path) -> None:
    desk = Desk("kim", "boss")
    with desk.open() as server:
        at = Office(tmp_path, desk, server)
        code, told = at.shell.terminal("auth login desk", talk=[("1 to 2: ", "^C")])
        assert (code, at.tokens.exists()) == (130, False)
        code, told = at.shell.terminal("auth login desk", talk=[("1 to 2: ", "\x04")])
        assert code == Exit.USAGE
        assert "the input ended" in told
        desk.approved = False
        asked = desk.asked
        with at.shell.start("auth login desk") as process:
            until(lambda: desk.asked > asked, "the command to ask")
            process.send_signal(signal.SIGINT)
            done = finish(process)
        assert (done.code, at.tokens.exists()) == (130, False)
        clean(told, done.err)


def test_a_refusal_by_the_person_is_told(at: Office) -> None:
    at.desk.refused = True
    done = at.shell("auth login desk")
    assert done.code == Exit.LOGIN
    assert "denied by the user" in done.err
    assert not at.tokens.exists()


def test_a_login_as_someone_else_is_said(tmp_path: Path) -> None:
    desk = Desk("kim", "sam")
    with desk.open() as server:
        at = Office(tmp_path, desk, server, 'user = "sam"')
        at.shell("auth login desk")
        text = at.shell.file.read_text().replace('user = "sam"', 'user = "kim"')
        at.shell.file.write_text(text)
        done = at.shell("auth login desk --json")
        assert (done.code, done.json["replaced"], done.json["account_id"]) == (0, "desk:sam", "desk:kim")


@pytest.mark.parametrize("word", ["login", "logout"])
def test_accounts_that_cannot_log_in(at: Office, word: str) -> None:
    done = at.shell(f"auth {word} home")
    assert done.code == Exit.USAGE
    assert "home: a tracker account has no login" in done.err
    done = at.shell(f"auth {word} desc")
    assert done.code == Exit.USAGE
    assert "did you mean 'desk'?" in done.err
    assert not at.shell.state.exists()


# --- renewing -------------------------------------------------------------------------------------


def test_a_login_that_is_good_is_left_alone(at: Office) -> None:
    at.shell("auth login desk")
    before = at.shell.marks()
    assert at.shell("plan").code == 0
    assert at.shell.marks() == before
    assert at.desk.refreshed == 0


@pytest.mark.parametrize(("line", "refreshed"), [("plan", 0), ("run --apply", 1)])
def test_a_run_that_writes_renews_in_good_time_and_a_dry_run_only_at_the_end(
    tmp_path: Path, line: str, refreshed: int
) -> None:
    desk = Desk(lasts=timedelta(minutes=30))
    with desk.open() as server:
        at = Office(tmp_path, desk, server)
        at.shell("auth login desk")
        assert at.shell(line).code == 0
        assert desk.refreshed == refreshed


@pytest.mark.parametrize("line", ["plan", "run --apply", "explain both tt1000001", "check"])
def test_a_login_that_ended_is_renewed_once_and_kept(tmp_path: Path, line: str) -> None:
    desk = Desk(lasts=timedelta(seconds=-5))
    with desk.open() as server:
        at = Office(tmp_path, desk, server)
        at.shell("auth login desk")
        desk.good, desk.lasts = {}, timedelta(days=7)
        done = at.shell(line)
        assert done.code == 0, done.err
        assert desk.refreshed == 1
        assert at.stored()["secrets"]["refresh"] in desk.renewals
        assert at.shell(line).code == 0
        assert desk.refreshed == 1
        clean(done.out, done.err)


def test_a_login_that_the_service_forgot_early_is_renewed_once(at: Office) -> None:
    at.shell("auth login desk")
    at.desk.good = {}
    assert at.shell("plan").code == 0
    assert at.desk.refreshed == 1


def test_what_was_asked_is_counted_in_the_report(at: Office) -> None:
    at.shell("auth login desk")
    at.server.forget()
    traffic = at.shell("run --apply --json").pair["traffic"]
    assert traffic["desk"]["calls"] == {"GET /me": 1}
    assert traffic["desk"]["requests"] == len(at.server.log) == 1
    assert traffic["desk"]["bytes"] == len('{"user":"kim"}')
    assert "home" not in traffic
    told = at.shell("plan -v")
    assert "desk: asked 1 times, got 14 bytes" in told.err


def test_two_processes_renew_once(tmp_path: Path) -> None:
    desk = Desk(lasts=timedelta(seconds=-5))
    with desk.open() as server:
        at = Office(tmp_path, desk, server)
        at.shell("auth login desk")
        desk.good, desk.lasts = {}, timedelta(days=7)
        both = [at.shell.start("plan"), at.shell.start("plan"), at.shell.start("plan")]
        for process in both:
            with process:
                done = finish(process)
                assert done.code == 0, done.err
        assert desk.refreshed == 1


def test_a_login_that_cannot_be_renewed_asks_for_another(at: Office) -> None:
    at.shell("auth login desk")
    at.desk.good, at.desk.renewals = {}, {}
    done = at.shell("run --apply --json")
    assert done.code == Exit.LOGIN
    assert done.pair["error"]["code"] == "auth"
    assert "invalid_grant" in done.pair["error"]["message"]
    assert done.pair["error"]["hint"] == "log in again: cwsync auth login desk"


def test_a_renewal_whose_answer_is_lost_is_tried_again_later(at: Office) -> None:
    at.shell("auth login desk")
    at.desk.good = {}
    at.server.fault(drop_before(), path="/refresh")
    assert at.shell("plan").code == Exit.LATER
    assert at.shell("plan").code == 0
    at.desk.good = {}
    at.server.fault(drop_after(), path="/refresh")
    assert at.shell("plan").code == Exit.LATER
    at.desk.good = {}
    assert at.shell("plan").code == Exit.LOGIN


# --- logging out ----------------------------------------------------------------------------------


def test_a_logout_revokes_and_forgets(at: Office) -> None:
    at.shell("auth login desk")
    access = at.stored()["secrets"]["access"]
    done = at.shell("auth logout desk --json")
    assert (done.code, done.json["revoked"], done.json["forgotten"]) == (0, True, True)
    assert at.desk.revoked == [access]
    assert not at.tokens.exists()
    assert at.shell("auth logout desk").out == "desk: was not logged in\n"
    assert at.shell("plan").code == Exit.LOGIN


def test_a_logout_forgets_also_when_the_service_is_down(at: Office) -> None:
    at.shell("auth login desk")
    at.server.fault(status(500), path="/revoke", times=None)
    done = at.shell("auth logout desk")
    assert done.code == 0
    assert "forgotten here, but could not be revoked" in done.out
    assert not at.tokens.exists()


def test_a_damaged_login_is_told_and_replaced(at: Office) -> None:
    at.shell("auth login desk")
    at.tokens.write_bytes(at.tokens.read_bytes()[:-20])
    done = at.shell("auth status desk")
    assert done.code == Exit.STATE
    assert "the tokens are damaged" in done.out
    assert at.shell("plan").code == Exit.STATE
    assert at.shell("auth login desk").code == 0
    assert at.shell("auth status desk").code == 0
    at.tokens.write_bytes(b"{")
    assert at.shell("auth logout desk").code == 0
    assert not at.tokens.exists()


def test_an_account_in_use_is_not_logged_in_or_out(at: Office) -> None:
    at.shell("auth login desk")
    at.desk.approved = False
    asked = at.desk.asked
    with at.shell.start("auth login desk") as process:
        until(lambda: at.desk.asked > asked, "the command to ask")
        for line in ("auth login desk", "auth logout desk", "run --apply"):
            done = at.shell(line)
            assert done.code == Exit.LATER, line
            assert "another run holds this lock" in done.out + done.err
        assert at.shell("auth status desk").code == 0
        assert at.shell("plan").code == 0
        at.desk.approved = True
        assert finish(process).code == 0
