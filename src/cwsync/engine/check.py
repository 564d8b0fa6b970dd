"""`check`: is the file right, where do secrets come from, can each account be reached, is a pair fit for two-way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence

from cwsync.engine.sides import account_of
from cwsync.errors import CwsyncError, Exit, worst
from cwsync.model import AccountSpec, CheckReport, Feature, Mode, Op, PairSpec, SecretRef, Settings, Side
from cwsync.provider import Provider, Services, provider_class

Line = tuple[bool, str, str]
DescribeSecret = Callable[[SecretRef, Mapping[str, str]], tuple[bool, str]]


def check(
    settings: Settings,
    names: Sequence[str],
    *,
    offline: bool,
    environ: Mapping[str, str],
    describe: DescribeSecret,
) -> tuple[CheckReport, ...]:
    """Check the accounts of the named pairs, then the pairs. Writes nothing anywhere.

    `describe` tells where a secret comes from and whether it can be had, never the secret.
    """
    pairs = [settings.pairs[name] for name in names]
    accounts = {account.name: account for pair in pairs for account in (pair.source, pair.target)}
    reports = [
        asyncio.run(_account(account, describe, environ, None if offline else _synced(account, pairs)))
        for account in accounts.values()
    ]
    return (*reports, *(_pair(pair) for pair in pairs))


def _synced(account: AccountSpec, pairs: Sequence[PairSpec]) -> frozenset[Feature]:
    """What the pairs that use an account sync: nothing else of it is read."""
    using = [pair for pair in pairs if account.name in (pair.source.name, pair.target.name)]
    return frozenset(spec.feature for pair in using for spec in pair.features)


async def _account(
    account: AccountSpec, describe: DescribeSecret, environ: Mapping[str, str], features: frozenset[Feature] | None
) -> CheckReport:
    """Check one account; `features` are those to read, None to reach nothing at all."""
    lines: list[Line] = [(True, "provider", provider_class(account.provider).capabilities.title)]
    codes: list[int] = []
    for name, ref in sorted(account.secrets.items()):
        ok, text = describe(ref, environ)
        lines.append((ok, name, text))
        codes += [] if ok else [int(Exit.USAGE)]
    if features is not None:
        line, code = await _reach(account, features)
        lines += line
        codes.append(code)
    return CheckReport(account.name, "account", tuple(lines), worst(codes))


async def _reach(account: AccountSpec, features: frozenset[Feature]) -> tuple[list[Line], int]:
    """Open the account and read what it has, feature by feature."""
    try:
        provider = provider_class(account.provider)(account, Services())
        await provider.open()
    except CwsyncError as error:
        return [(False, "reach", _told(error))], int(error.exit_code)
    lines: list[Line] = [(True, "reach", _who(account, provider.account_id))]
    codes: list[int] = []
    try:
        for feature in Feature:
            if feature not in features or not provider.capabilities.of(feature).read:
                continue
            line, code = await _feature(account, feature, provider)
            lines += line
            codes.append(code)
    finally:
        await provider.aclose()
    return lines, worst(codes)


def _who(account: AccountSpec, account_id: str) -> str:
    """Whose account was reached, where the file does not say so already."""
    named = account_id.removeprefix(f"{account.provider}:")
    known = {str(value) for value in (account.name, account.provider, *account.options.values())}
    path = account.options.get("path")
    known |= set() if path is None else {os.path.realpath(str(path))}
    return "opened" if not named or named in known else account_id


async def _feature(account: AccountSpec, feature: Feature, provider: Provider) -> tuple[list[Line], int]:
    if account.options.get("feature") not in (None, feature.value):
        return [], 0
    try:
        snapshot = await provider.fetch(feature)
    except CwsyncError as error:
        return [(False, feature.value, _told(error))], int(error.exit_code)
    known = sum(1 for entry in snapshot.entries if entry.item.key() is not None)
    number, unread = len(snapshot.entries), len(snapshot.undecoded)
    text = f"{number} {'record' if number == 1 else 'records'}, {known} with ids"
    if unread:
        text += f"; {unread} {'row' if unread == 1 else 'rows'} cannot be read, first {snapshot.undecoded[0].where}"
    whole = snapshot.complete and not snapshot.undecoded
    return [(whole, feature.value, text)], 0 if whole else int(Exit.PARTIAL)


def _told(error: CwsyncError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)


def _pair(pair: PairSpec) -> CheckReport:
    """What the two accounts can do for what the pair asks."""
    lines: list[Line] = []
    for spec in pair.features:
        for side in Side:
            account = account_of(pair, side)
            caps = provider_class(account.provider).capabilities.of(spec.feature)
            if not caps.read:
                lines.append((False, spec.feature.value, f"{account.name} cannot be read for this feature"))
                continue
            if side is Side.SOURCE and pair.mode is Mode.ONE_WAY:
                continue
            able = {Op.ADD: caps.add, Op.UPDATE: caps.update, Op.REMOVE: caps.remove}
            wanted = {Op.ADD: spec.add, Op.UPDATE: spec.update, Op.REMOVE: spec.remove}
            missing = [op.value for op in Op if wanted[op] and not able[op]]
            if missing:
                lines.append((False, spec.feature.value, f"{account.name} cannot {' or '.join(missing)}"))
            else:
                lines.append((True, spec.feature.value, f"{account.name} can do what is asked"))
    fit = all(ok for ok, _, _ in lines)
    lines.append((fit, pair.mode.value, "fit" if fit else "not fit: see above"))
    return CheckReport(pair.name, "pair", tuple(lines), 0 if fit else int(Exit.USAGE))
