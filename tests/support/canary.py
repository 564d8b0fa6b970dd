"""Canaries: secrets that must never be seen again, a provider that says them wherever it can, and where to look.

`Teller` is what a careless provider may be: it logs its secret, puts it into URLs and headers, raises
it, and answers with it.
"""

from __future__ import annotations

import asyncio
import base64
import html
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self, cast
from urllib.parse import quote, quote_plus

import cwsync
from cwsync import provider as registry
from cwsync.config import resolve_secret
from cwsync.errors import AuthError, DataError, UnavailableError
from cwsync.model import AccountSpec, Change, Feature, Outcome, Rated, Receipt, Snapshot, Undecoded
from cwsync.provider import Option, Services
from support.memory import Memory, Store
from support.warm import Streams, shared
from support.world import movie


def forms(secret: str) -> list[str]:
    """What a secret may look like in a text: as it is, and as encoders leave it."""
    data = secret.encode()
    found = [secret, quote(secret), quote(secret, safe=""), quote_plus(secret), quote(quote(secret, safe=""), safe="")]
    found += [json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3], repr(secret)[1:-1], ascii(secret)[1:-1]]
    found += [repr(data)[2:-1], html.escape(secret), data.hex(), data.hex().upper()]
    for shift in range(3):  # the middle of its base64, wherever it begins in a group of three bytes
        encoded = base64.b64encode(bytes(shift) + data + b"0").decode()[4:-4]
        found += [encoded, encoded.replace("+", "-").replace("/", "_")]
    return list(dict.fromkeys(found))


def sightings(secrets: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """Where which canary is to be seen: ``stderr of plan: env as b'...'``."""
    found = []
    for name, secret in secrets.items():
        for form in forms(secret):
            for place, text in texts.items():
                at = text.find(form)
                if at >= 0:
                    found.append(f"{place}: {name}: ...{text[max(0, at - 60) : at + len(form) + 20]!r}")
    return found


class Teller(Memory):
    """Says its secret. The option ``trouble`` names what goes wrong, and where."""

    options: ClassVar[tuple[Option, ...]] = (
        Option("token", "secret", "what must not be seen", required=True),
        Option("url", "text", "where the service is"),
        Option("trouble", "text", "what goes wrong"),
    )

    def __init__(self, account: AccountSpec, services: Services) -> None:
        super().__init__(account, services)
        self.account = account
        self.trouble = str(account.options.get("trouble", ""))
        self.store = Store(account_id=f"teller:{account.name}")
        shared = {"inline": 3, "variable": 4, "command": 5}.get(account.name, 2)
        self.store.put(Feature.RATINGS, *((movie(n), Rated(10 * n)) for n in range(1, shared + 1)))
        self.token = ""
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    def words(self) -> str:
        """A message that quotes a request, as those of HTTP libraries do."""
        url = f"{self.account.options.get('url', 'https://host.invalid')}/x?X-Plex-Token={quote(self.token, safe='')}"
        basic = base64.b64encode(f"user:{self.token}".encode()).decode()
        return f"POST {url} said 401 to Basic {basic}: {json.dumps({'error': 'bad', 'token': self.token})} {self.token}"

    def error(self) -> Exception:
        """The cause of all trouble: an exception with the secret in its text, arguments and notes."""
        error = RuntimeError(self.words(), self.token, {"token": self.token})
        error.add_note(f"the note says {self.token}")
        error.__cause__ = ExceptionGroup(f"group {self.token}", [ValueError(self.token), KeyError(self.token)])
        return error

    def learn(self) -> str:
        """Get the secret."""
        return resolve_secret(self.account.secrets["token"], where=f"accounts.{self.account.name}.token")

    async def open(self) -> None:
        self.token = self.learn()
        Path("cmdline").write_bytes(Path("/proc/self/cmdline").read_bytes())
        log = logging.getLogger("cwsync.providers.teller")
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            log.log(level, "%s: %s", self.account.name, self.words())
        log.debug("headers %s", {"Authorization": self.token, "X-Emby-Token": [self.token.encode()]})
        log.warning("%d", self.token)
        logging.getLogger("a.library").warning("could not %s", self.words())
        try:
            raise self.error()
        except RuntimeError:
            log.exception("failed: %s", self.words())
        await super().open()
        if self.trouble == "open":
            raise AuthError(self.words(), where=self.token, hint=f"try {self.words()}") from self.error()
        if self.trouble == "bug":
            raise self.error()
        if self.trouble == "cancelled":
            raise asyncio.CancelledError(self.words())
        if self.trouble == "task":
            self.tasks.append(asyncio.create_task(self.fail()))
            await asyncio.sleep(0)

    async def fail(self) -> None:
        """A task that nobody waits for."""
        raise self.error()

    async def fetch(self, feature: Feature) -> Snapshot:
        if self.trouble == "fetch":
            raise UnavailableError(self.words(), hint=self.words()) from self.error()
        if self.trouble == "data":
            raise DataError(self.words(), where=self.words()) from self.error()
        snapshot = await super().fetch(feature)
        if self.trouble != "rows":
            return snapshot
        row = Undecoded(self.words(), self.words(), None)
        return replace(
            snapshot, complete=False, undecoded=(row,), doubt=self.words(), warnings=(self.words(), self.token)
        )

    async def apply(self, feature: Feature, changes: Sequence[Change]) -> list[Receipt]:
        if self.trouble == "apply-down":
            raise UnavailableError(self.words(), hint=self.words()) from self.error()
        if self.trouble == "apply-bug":
            raise self.error()
        if self.trouble == "apply":
            return [Receipt(change, Outcome.REJECTED, f"no:{self.token}", detail=self.words()) for change in changes]
        return await super().apply(feature, changes)


# Clears the screen, sets the clipboard, colours, links, begins a line of its own, turns around, hides, ends the text.
HOSTILE = "\x1b[2J\x1b]52;c;cm0=\x07\x9b31m[/][link=https://x.invalid]a[/link]"
HOSTILE += "\r\nerror: all is lost\u2028\u202egnp\u200b\x7f\0é"


class Hostile(Teller):
    """Says `HOSTILE` wherever text comes from a service: titles, keys, reasons, errors, warnings, log lines."""

    options: ClassVar[tuple[Option, ...]] = (Option("trouble", "text", "what goes wrong"),)

    def __init__(self, account: AccountSpec, services: Services) -> None:
        super().__init__(account, services)
        self.store.account_id = f"hostile:{HOSTILE}:{account.name}"
        rows = self.store.rows[Feature.RATINGS]
        titled = [replace(row.item, title=f"{HOSTILE} Film {n}") for n, row in enumerate(rows)]
        keyed = zip(rows, titled, strict=True)
        self.store.rows[Feature.RATINGS] = [
            replace(row, item=item, native_key=f"{row.native_key}{HOSTILE}") for row, item in keyed
        ]

    def learn(self) -> str:
        return HOSTILE

    def words(self) -> str:
        return f"{HOSTILE} and more"


def register() -> None:
    """Let accounts name these providers."""
    for name in ("Teller", "Hostile"):
        cast("dict[str, str]", registry.REGISTRY)[name.lower()] = f"{__name__}:{name}"


class Driver:
    """Command lines for accounts of these providers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(cwsync.__file__).parents[1])])
        self.environ = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": paths, "HOME": str(folder)}

    def __call__(self, *words: str, env: Mapping[str, str] | None = None, umask: int = 0o22) -> tuple[int, str, str]:
        """Run a command line; its exit code, stdout and stderr."""
        out, err = self.folder / "out", self.folder / "err"
        parent = shared("support.canary:register")
        environ = {**self.environ, **(env or {})}
        code = parent.run(words, self.folder, environ, Streams(str(out), str(err)), umask=umask)
        told = out.read_text(), err.read_text()
        out.unlink()
        err.unlink()
        return code, *told
