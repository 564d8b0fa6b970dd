"""`check`: is the file right, where do secrets come from, can each account be reached, is a pair fit for two-way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cwsync.engine import clock
from cwsync.engine.options import Home
from cwsync.engine.readiness import Readiness, readiness
from cwsync.engine.services import services_for
from cwsync.engine.sides import account_of
from cwsync.errors import CwsyncError, Exit, worst
from cwsync.model import AccountSpec, CheckReport, Feature, Mode, Op, PairSpec, SecretRef, Settings, Side, Snapshot
from cwsync.provider import Examines, Provider, capabilities_for, ids_of, provider_class

Line = tuple[bool, str, str]
_PRESENCE = frozenset({Feature.WATCHLIST, Feature.HISTORY})  # there or not there: nothing to update
CLOCK_S = 300  # as the guard of that name
DescribeSecret = Callable[[SecretRef, Mapping[str, str]], tuple[bool, str]]


def check(
    settings: Settings,
    names: Sequence[str],
    *,
    offline: bool,
    environ: Mapping[str, str],
    describe: DescribeSecret,
    home: Home,
) -> tuple[CheckReport, ...]:
    """Check the accounts of the named pairs, then the pairs. Writes nothing, but a login that had to be renewed.

    `describe` tells where a secret comes from and whether it can be had, never the secret.
    """
    pairs = [settings.pairs[name] for name in names]
    accounts = {account.name: account for pair in pairs for account in (pair.source, pair.target)}
    read: dict[tuple[str, Feature], Snapshot] = {}
    reports = [
        asyncio.run(
            _account(account, describe, environ, None if offline else _synced(account, pairs), home=home, read=read)
        )
        for account in accounts.values()
    ]
    asked = {one.ids.name: one.ids for one in pairs if one.ids is not None and one.ids.name not in accounts}
    reports += [asyncio.run(_ids(account, describe, environ, None if offline else home)) for account in asked.values()]
    for pair in pairs:
        ready = None if offline else asyncio.run(readiness(pair, settings, read, home))
        reports.append(_pair(pair, ready))
    return tuple(reports)


def _synced(account: AccountSpec, pairs: Sequence[PairSpec]) -> frozenset[Feature]:
    """What the pairs that use an account sync: nothing else of it is read."""
    using = [pair for pair in pairs if account.name in (pair.source.name, pair.target.name)]
    return frozenset(spec.feature for pair in using for spec in pair.features)


async def _account(
    account: AccountSpec,
    describe: DescribeSecret,
    environ: Mapping[str, str],
    features: frozenset[Feature] | None,
    *,
    home: Home,
    read: dict[tuple[str, Feature], Snapshot],
) -> CheckReport:
    """Check one account; `features` are those to read (into `read`), None to reach nothing at all."""
    told = _told(account, describe, environ)
    if features is not None:
        found = await _reach(account, features, home, told)
        read.update({(account.name, feature): snapshot for feature, snapshot in found.items()})
    return CheckReport(account.name, "account", tuple(told.lines), worst(told.codes))


def _told(account: AccountSpec, describe: DescribeSecret, environ: Mapping[str, str]) -> _Told:
    """What the file says of an account: its provider, and where its secrets come from."""
    told = _Told([(True, "provider", provider_class(account.provider).capabilities.title)])
    for name, ref in sorted(account.secrets.items()):
        ok, text = describe(ref, environ)
        told.lines.append((ok, name, text))
        told.codes += [] if ok else [int(Exit.USAGE)]
    return told


async def _ids(
    account: AccountSpec, describe: DescribeSecret, environ: Mapping[str, str], home: Home | None
) -> CheckReport:
    """Check an account that is asked for ids alone; without `home` it is not reached."""
    told = _told(account, describe, environ)
    if home is not None:
        try:
            asked = ids_of(account.provider).id_source(account, services_for(account, home))
            try:
                await asked.reach()
            finally:
                await asked.aclose()
            told.lines.append((True, "reach", "answers, and is asked for ids alone"))
        except CwsyncError as error:
            told.fail("reach", error)
    return CheckReport(account.name, "account", tuple(told.lines), worst(told.codes))


@dataclass(slots=True)
class _Told:
    """Lines, and the exit codes that go with them."""

    lines: list[Line] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def fail(self, what: str, error: CwsyncError) -> None:
        """Something did not work."""
        self.lines.append((False, what, f"{error}; {error.hint}" if error.hint else str(error)))
        self.codes.append(int(error.exit_code))


async def _reach(
    account: AccountSpec, features: frozenset[Feature], home: Home, told: _Told
) -> dict[Feature, Snapshot]:
    """Open the account, read what it has, feature by feature, and ask what it has to say of itself."""
    found: dict[Feature, Snapshot] = {}
    try:
        provider = provider_class(account.provider)(account, services_for(account, home))
    except CwsyncError as error:
        told.fail("reach", error)
        return found
    try:
        await provider.open()
        told.lines.append((True, "reach", _who(account, provider.account_id)))
        for feature in Feature:
            if feature not in features or not provider.capabilities.of(feature).read:
                continue
            snapshot = await _feature(account, feature, provider, told)
            if snapshot is not None:
                found[feature] = snapshot
        await _examined(provider, told)  # last: what was read need not be counted again
    except CwsyncError as error:
        told.fail("reach", error)
    finally:
        await provider.aclose()
    _clock(found.values(), told)
    return found


async def _examined(provider: Provider, told: _Told) -> None:
    """What a provider tells of itself: rights, limits."""
    if isinstance(provider, Examines):
        for finding in await provider.examine():
            told.lines.append((finding.ok, finding.what, finding.text))
            told.codes += [] if finding.ok else [int(Exit.PARTIAL)]


def _clock(snapshots: Iterable[Snapshot], told: _Told) -> None:
    """The clock of the service against ours: the last one it told is the nearest to now."""
    times = [snapshot.server_now for snapshot in snapshots if snapshot.server_now is not None]
    if not times:
        return
    off_s = (clock.now() - max(times)).total_seconds()
    ok = abs(off_s) <= CLOCK_S
    word = "ahead of" if off_s > 0 else "behind"
    text = f"ours is {abs(off_s):,.0f} s {word} that of the service"
    told.lines.append((ok, "clock", text if ok else f"{text}: set it right, no run goes by times until then"))
    told.codes += [] if ok else [int(Exit.GUARD)]


def _who(account: AccountSpec, account_id: str) -> str:
    """Whose account was reached, where the file does not say so already."""
    named = account_id.removeprefix(f"{account.provider}:")
    known = {str(value) for value in (account.name, account.provider, *account.options.values())}
    path = account.options.get("path")
    known |= set() if path is None else {os.path.realpath(str(path))}
    return "opened" if not named or named in known else account_id


async def _feature(account: AccountSpec, feature: Feature, provider: Provider, told: _Told) -> Snapshot | None:
    if account.options.get("feature") not in (None, feature.value):
        return None
    try:
        snapshot = await provider.fetch(feature)
    except CwsyncError as error:
        told.fail(feature.value, error)
        return None
    known = sum(1 for entry in snapshot.entries if entry.item.key() is not None)
    number, unread = len(snapshot.entries), len(snapshot.undecoded)
    text = f"{number} {'record' if number == 1 else 'records'}, {known} with ids"
    if unread:
        text += f"; {unread} {'row' if unread == 1 else 'rows'} cannot be read, first {snapshot.undecoded[0].where}"
    elif not snapshot.complete:
        text += f"; not complete: {snapshot.doubt or 'nothing proves that it is'}"
    whole = snapshot.complete and not snapshot.undecoded
    told.lines.append((whole, feature.value, text))
    told.codes += [] if whole else [int(Exit.PARTIAL)]
    return snapshot


def _pair(pair: PairSpec, ready: Readiness | None) -> CheckReport:
    """What the two accounts can do for what the pair asks, and what a run would do (None: nothing was read)."""
    lines: list[Line] = []
    for spec in pair.features:
        for side in Side:
            account = account_of(pair, side)
            caps = capabilities_for(account).of(spec.feature)
            if not caps.read:
                lines.append((False, spec.feature.value, f"{account.name} cannot be read for this feature"))
                continue
            if side is Side.SOURCE and pair.mode is Mode.ONE_WAY:
                continue
            able = {Op.ADD: caps.add, Op.UPDATE: caps.update, Op.REMOVE: caps.remove}
            # Of what is there or is not there is nothing to update: no wish and no play is ever rewritten.
            update = spec.update and spec.feature in (Feature.RATINGS, Feature.PROGRESS)
            wanted = {Op.ADD: spec.add, Op.UPDATE: update, Op.REMOVE: spec.remove}
            if spec.feature in _PRESENCE:
                del wanted[Op.UPDATE]
            missing = [op.value for op in wanted if wanted[op] and not able[op]]
            if missing:
                lines.append((False, spec.feature.value, f"{account.name} cannot {' or '.join(missing)}"))
            else:
                lines.append((True, spec.feature.value, f"{account.name} can do what is asked"))
    fit = all(ok for ok, _, _ in lines)
    lines.append((fit, pair.mode.value, "fit" if fit else "not fit: see above"))
    codes = [] if fit else [int(Exit.USAGE)]
    if ready is not None and fit:
        lines += ready.lines
        codes += ready.codes
    return CheckReport(pair.name, "pair", tuple(lines), worst(codes))
