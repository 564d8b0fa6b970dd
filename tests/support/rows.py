"""Records as rows of a tracker, which tests write as an editor would."""

from __future__ import annotations

from collections.abc import Iterable

from cwsync.model import ExternalId, Item, Kind


def numbers(ids: Iterable[ExternalId]) -> dict[str, str]:
    """Ids by the services that gave them."""
    return {one.service: one.value for one in ids}


def row(item: Item, **value: object) -> dict[str, object]:
    """A record as a row, with what is held of it."""
    made: dict[str, object] = {"type": item.kind.value, "title": item.title, "year": item.year}
    made["ids"] = numbers(item.ids)
    if item.kind is Kind.EPISODE:
        show = {"title": item.show_title, "year": item.show_year, "ids": numbers(item.show_ids)}
        made |= {"season": item.season, "episode": item.number, "show": show}
    return made | value
