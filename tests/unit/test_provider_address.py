"""Where a login may travel, for every provider alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from cwsync.errors import ConfigError
from cwsync.model import AccountSpec
from cwsync.providers._address import server_url, service_url, trust_of
from cwsync.tokens import in_own_network, on_this_machine

API = "https://api.example.org"
WHERE = [
    # an address, whether it is on this machine, whether it is in the own network
    ("http://localhost:80", True, True),
    ("http://127.0.0.1", True, True),
    ("http://127.8.9.1", True, True),
    ("http://[::1]:32400", True, True),
    ("http://192.168.1.10:8096", False, True),
    ("http://10.0.0.1", False, True),
    ("http://172.16.5.5", False, True),
    ("http://169.254.1.1", False, True),
    ("http://[fd00::1]", False, True),
    ("http://[fe80::1]", False, True),
    ("http://nas", False, True),
    ("http://nas.local", False, True),
    ("http://plex.home.arpa", False, True),
    ("http://8.8.8.8", False, False),
    ("http://[2606:4700::1111]", False, False),
    ("http://example.org", False, False),
    ("http://localhost.example.org", False, False),
    ("http://127.0.0.1.example.org", False, False),
    ("http://192.168.1.10.example.org", False, False),
    ("http://nas.local.example.org", False, False),
]


def spec(**options: object) -> AccountSpec:
    return AccountSpec("mine", "some", options)


@pytest.mark.parametrize(("url", "here", "inside"), WHERE)
def test_where_an_address_is(url: str, here: bool, inside: bool) -> None:
    assert (on_this_machine(url), in_own_network(url)) == (here, inside)


@pytest.mark.parametrize(("url", "here", "inside"), WHERE)
def test_a_login_travels_unencrypted_nowhere_else(url: str, here: bool, inside: bool) -> None:
    for allowed, ask in (
        (here, lambda: service_url(spec(api_url=url), "api_url", API)),
        (inside, lambda: server_url(spec(url=url), "http://192.168.1.10")),
    ):
        if allowed:
            assert ask() == url
        else:
            with pytest.raises(ConfigError, match="https") as caught:
                ask()
            assert str(caught.value.where).startswith("accounts.mine.")
    secure = url.replace("http:", "https:") + "/base/"
    assert service_url(spec(api_url=secure), "api_url", API) == server_url(spec(url=secure), "") == secure[:-1]


@pytest.mark.parametrize("url", ["nonsense", "ftp://nas", "http://", "https://"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError, match="is not an address") as caught:
        service_url(spec(api_url=url), "api_url", API)
    assert caught.value.hint == f"write it like {API}"
    with pytest.raises(ConfigError, match="is not an address"):
        server_url(spec(url=url), "http://192.168.1.10")


def test_what_the_file_leaves_out() -> None:
    assert service_url(spec(), "api_url", API) == API
    assert server_url(spec(), "") is None
    assert trust_of(spec()) == (None, None)
    assert trust_of(spec(ca_file=Path("ca.pem"), fingerprint="1f")) == (Path("ca.pem"), "1f")
