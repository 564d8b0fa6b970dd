"""`pairs`, `accounts` and `capabilities` as pages, and the capability table of the README."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Final

from cwsync.model import AccountSpec, Capabilities, Feature, FeatureCaps, FeatureSpec, Kind, Mode, PairSpec
from cwsync.render.document import Block, Gap, Grid, Line, Page, Row, Tone
from cwsync.render.sanitise import sanitise
from cwsync.render.words import NOTHING, in_order, kinds, span, stars

_USERINFO: Final = re.compile(r"//[^/@\s]*@")


# --- pairs and accounts -------------------------------------------------------------------------


def pairs_page(pairs: Iterable[PairSpec]) -> Page:
    """One row a pair and feature."""
    rows = []
    for pair in pairs:
        arrow = "⇄" if pair.mode is Mode.TWO_WAY else "→"
        lead = (pair.name, f"{pair.source.name} {arrow} {pair.target.name}", pair.mode.value)
        specs = {spec.feature: spec for spec in pair.features}
        for feature in in_order(specs):
            rows.append(Row((*lead, feature.value, _rules(specs[feature]))))
            lead = ("", "", "")
        if not specs:
            rows.append(Row((*lead, NOTHING, "no feature is on")))
    if not rows:
        return [Line("the file defines no pair")]
    return [Grid(("pair", "accounts", "mode", "feature", "does"), rows, frozenset({0, 2, 3}))]


def _rules(spec: FeatureSpec) -> str:
    does = [word for word, on in (("add", spec.add), ("update", spec.update)) if on]
    if spec.remove:
        does.append(f"remove ({spec.remove_mode.value})")
    text = ", ".join(does) or "nothing"
    limits = [kinds(spec.types)] if spec.types != frozenset(Kind) else []
    limits += [f"since {spec.since.isoformat()}"] if spec.since else []
    limits += [f"until {spec.until.isoformat()}"] if spec.until else []
    return f"{text}; {', '.join(limits)}" if limits else text


def accounts_page(accounts: Iterable[AccountSpec], used: Mapping[str, list[str]]) -> Page:
    """One row an account. A secret is only ever the place it comes from."""
    rows = []
    for account in accounts:
        where = next((account.options[key] for key in ("url", "api_url", "path") if key in account.options), None)
        secrets = ", ".join(f"{name}: {secret}" for name, secret in sorted(account.secrets.items()))
        address = NOTHING if where is None else sanitise(_USERINFO.sub("//", str(where)), None)
        pairs = ", ".join(used.get(account.name, [])) or "none"
        rows.append(Row((account.name, account.provider, address, sanitise(secrets, 500) or "none", pairs)))
    if not rows:
        return [Line("the file defines no account")]
    return [Grid(("account", "provider", "where", "secrets", "pairs"), rows, frozenset({0, 1}))]


# --- capabilities -------------------------------------------------------------------------------


def capabilities_page(providers: Mapping[str, Capabilities]) -> Page:
    """What each provider can do, one row a provider and feature."""
    rows = []
    for name, caps in providers.items():
        lead = name
        for feature in in_order(caps.features):
            rows.append(Row((lead, feature.value, *_abilities(caps.of(feature)), _notes(caps.of(feature)))))
            lead = ""
    header = ("provider", "feature", "read", "add", "update", "remove", "types", "notes")
    return [Grid(header, rows, frozenset(range(6)))]


def capability_page(name: str, caps: Capabilities) -> Page:
    """Everything one provider declares, with the odd facts and where they were learnt."""
    page: Page = [Line(f"{name}: {caps.title}", Tone.STRONG)]
    page += _general(caps)
    rows = [
        Row((feature.value, *_abilities(caps.of(feature)), _notes(caps.of(feature))))
        for feature in in_order(caps.features)
    ]
    page += [Gap(), Grid(("feature", "read", "add", "update", "remove", "types", "notes"), rows, frozenset(range(5)))]
    for fact in caps.facts:
        page += [Gap(), Line(fact.text), Line(f"{fact.source} (checked {fact.checked})", Tone.DIM, indent=2)]
    return page


def _general(caps: Capabilities) -> Iterator[Block]:
    if not any(can.add or can.update or can.remove for can in caps.features.values()):
        yield Line("it is only ever read")
    elif caps.staleness:
        yield Line(f"reads may lag behind a write for {span(caps.staleness)}")
    else:
        yield Line("a write can be read back at once")
    if caps.absence_certain:
        yield Line("a complete read that lacks a record proves that it is gone")
    if caps.drops_from_watchlist:
        features = ", ".join(feature.value for feature in in_order(caps.drops_from_watchlist))
        yield Line(f"a write to {features} takes the item off this service's own watchlist")


def _abilities(can: FeatureCaps) -> tuple[str, ...]:
    return (*("yes" if able else NOTHING for able in (can.read, can.add, can.update, can.remove)), kinds(can.kinds))


def _notes(can: FeatureCaps) -> str:
    notes = [_grid(can.scores)] if can.scores else []
    if can.precision_s:
        names = {60: "times to the minute", 86400: "times to the day"}
        notes.append(names.get(can.precision_s, f"times to {can.precision_s} s"))
    if (can.add or can.update) and not can.keeps_date:
        notes.append("sets its own date")
    if can.plays:
        notes.append("every play")
    if can.read_back:
        notes.append("writes are read back")
    return ", ".join(notes)


def _grid(scores: tuple[int, ...]) -> str:
    """``0.5 to 10 in steps of 0.5``."""
    steps = {after - before for before, after in pairwise(scores)}
    if len(steps) == 1:
        return f"{stars(scores[0])} to {stars(scores[-1])} in steps of {stars(steps.pop())}"
    return "scores " + ", ".join(stars(score) for score in scores)


def capability_markdown(providers: Mapping[str, Capabilities]) -> str:
    """The README's table: a row a provider, a column a feature."""
    features = (Feature.WATCHLIST, Feature.RATINGS, Feature.HISTORY, Feature.PROGRESS)
    lines = ["| provider | " + " | ".join(feature.value for feature in features) + " |", "|---" * 5 + "|"]
    for name, caps in providers.items():
        row = " | ".join(_words(caps.of(feature)) for feature in features)
        lines.append(f"| {caps.title} (`{name}`) | {row} |")
    return "\n".join(lines) + "\n"


def _words(can: FeatureCaps) -> str:
    flags = (("read", can.read), ("add", can.add), ("update", can.update), ("remove", can.remove))
    told = ", ".join(word for word, able in flags if able)
    return f"{told} ({kinds(can.kinds)})" if told and can.kinds != frozenset(Kind) else told or NOTHING
