"""`pairs`, `accounts` and `capabilities` as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cwsync.model import AccountSpec, Capabilities, PairSpec, format_when
from cwsync.render.jsonout import Json, document
from cwsync.render.words import in_order


def pairs_json(pairs: Iterable[PairSpec]) -> Json:
    """`pairs`."""
    return document("pairs", pairs=[_pair_spec(pair) for pair in pairs])


def _pair_spec(pair: PairSpec) -> Json:
    features = {
        spec.feature.value: {
            "add": spec.add,
            "update": spec.update,
            "remove": spec.remove,
            "remove_mode": spec.remove_mode.value,
            "conflict": spec.conflict.value,
            "types": sorted(kind.value for kind in spec.types),
            "since": format_when(spec.since),
            "until": format_when(spec.until),
        }
        for spec in pair.features
    }
    return {
        "pair": pair.name,
        "mode": pair.mode.value,
        "source": pair.source.name,
        "target": pair.target.name,
        "match": pair.match.value,
        "ids": pair.ids.name if pair.ids is not None else None,
        "features": features,
    }


def accounts_json(accounts: Iterable[AccountSpec], used: Mapping[str, list[str]]) -> Json:
    """`accounts`. Secrets appear as where they come from, never as what they are."""
    listed = [
        {
            "account": account.name,
            "provider": account.provider,
            "secrets": {name: str(secret) for name, secret in account.secrets.items()},
            "pairs": used.get(account.name, []),
        }
        for account in accounts
    ]
    return document("accounts", accounts=listed)


def capabilities_json(providers: Mapping[str, Capabilities]) -> Json:
    """`capabilities`."""
    return document("capabilities", providers={name: _capabilities(caps) for name, caps in providers.items()})


def _capabilities(caps: Capabilities) -> Json:
    features = {
        feature.value: {
            "read": can.read,
            "add": can.add,
            "update": can.update,
            "remove": can.remove,
            "types": sorted(kind.value for kind in can.kinds),
            "scores": [score / 10 for score in can.scores],
            "precision_s": can.precision_s,
            "keeps_date": can.keeps_date,
            "undated": can.undated,
            "plays": can.plays,
            "idempotent_add": can.idempotent_add,
            "batch": can.batch,
            "read_back": can.read_back,
            "stamp_moves_on_removal": can.stamp_moves_on_removal,
        }
        for feature in in_order(caps.features)
        for can in (caps.of(feature),)
    }
    return {
        "title": caps.title,
        "staleness_s": caps.staleness.total_seconds(),
        "absence_certain": caps.absence_certain,
        "drops_from_watchlist": sorted(feature.value for feature in caps.drops_from_watchlist),
        "features": features,
        "facts": [{"text": fact.text, "source": fact.source, "checked": fact.checked} for fact in caps.facts],
    }
