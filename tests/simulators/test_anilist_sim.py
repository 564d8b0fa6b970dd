"""The simulated AniList is honest: it executes the published schema, and fails as the service was seen to fail.

The schema and the captured answers are not part of the project; where they are missing, that half is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema, parse, validate

from cwsync.providers._anilistwire import LISTS, TITLE, VIEWER, decode_lists, decode_viewer, lookup
from cwsync.providers._anilistwrite import NO_DATE, Write, mutation
from simulators import anilist_schema
from simulators.anilist import AniList
from simulators.anilist_account import film, series
from simulators.anilist_roots import FieldError
from simulators.anilist_world import SHOWN, STORED, Title
from support.httpserver import Request

SAMPLES = anilist_schema.PUBLISHED.parent / "error-samples.json"
EXAMPLES = anilist_schema.PUBLISHED.parent / "examples-constructed.json"


def sample(name: str) -> Any:
    """A captured answer."""
    if not SAMPLES.is_file():
        pytest.skip("the captured answers of AniList are not here")
    return json.loads(SAMPLES.read_bytes())[name]


@pytest.fixture
def service() -> Iterator[AniList]:
    with AniList() as made:
        for n in range(1, 4):
            made.world.know(film(n))
            made.world.know(series(n))
        yield made


class Client:
    """Requests that do not go over a wire: what is asked here is the service, not HTTP."""

    def __init__(self, service: AniList) -> None:
        self.service = service
        self.token: str | None = service.login()

    def __call__(self, query: str, **variables: Any) -> tuple[int, Any, Any]:
        headers = {"content-type": "application/json"}
        headers |= {"authorization": f"Bearer {self.token}"} if self.token else {}
        body = json.dumps({"query": query, "variables": variables}).encode()
        reply = self.service.handle(Request("POST", "/", headers, body))
        return reply.status, reply.body, reply.headers


@pytest.fixture
def call(service: AniList) -> Client:
    return Client(service)


SAVE = "mutation($m:Int,$s:MediaListStatus,$r:Int){SaveMediaListEntry(mediaId:$m,status:$s,scoreRaw:$r){id status}}"


# --- the schema -----------------------------------------------------------------------------------


def differences(own: GraphQLSchema, real: GraphQLSchema) -> Iterator[str]:
    """What the one says and the other does not."""
    for name, mine in own.type_map.items():
        theirs = real.type_map.get(name)
        if name.startswith("__"):
            continue
        if theirs is None or type(theirs) is not type(mine):
            yield name
        elif isinstance(mine, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
            yield from (f"{name}.{one}" for one in mine.values if one not in theirs.values)
        elif isinstance(mine, GraphQLObjectType) and isinstance(theirs, GraphQLObjectType):
            for field, told in mine.fields.items():
                other = theirs.fields.get(field)
                if other is None or str(other.type) != str(told.type):
                    yield f"{name}.{field}"
                    continue
                yield from (
                    f"{name}.{field}({arg})"
                    for arg, type_ in told.args.items()
                    if arg not in other.args or str(other.args[arg].type) != str(type_.type)
                )
        elif isinstance(mine, GraphQLInputObjectType) and isinstance(theirs, GraphQLInputObjectType):
            yield from (
                f"{name}.{field}"
                for field, told in mine.fields.items()
                if field not in theirs.fields or str(theirs.fields[field].type) != str(told.type)
            )


def test_the_own_schema_says_nothing_that_the_published_one_does_not() -> None:
    assert list(differences(anilist_schema.own(), anilist_schema.published())) == []


def test_a_difference_is_seen() -> None:
    from graphql import build_schema

    other = anilist_schema.OWN.replace("idMal: Int\n", "idMal: String\n").replace("CURRENT PLANNING", "CURRENT")
    assert list(differences(anilist_schema.own(), build_schema(other))) == ["MediaListStatus.PLANNING", "Media.idMal"]


def our_requests() -> Iterator[str]:
    """Everything that the provider ever asks."""
    yield VIEWER
    yield LISTS
    yield lookup([1, 2, 3], [4, 5], size=2)[0]
    title = Title(1, 2, "Some")
    every = {"id": 1, "mediaId": 1, "status": "PLANNING", "scoreRaw": 1, "progress": 1, "completedAt": NO_DATE}
    yield mutation([Write(title, None, [], every), Write(title, None, [])])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("query", list(our_requests()), ids=["viewer", "lists", "titles", "writes"])
@pytest.mark.parametrize("which", ["own", "published"])
def test_what_we_ask_is_in_the_schema(query: str, which: str) -> None:
    assert validate(getattr(anilist_schema, which)(), parse(query)) == []
    assert TITLE.count("{") == TITLE.count("}")


# --- answers as they were captured ----------------------------------------------------------------


def shape(found: Any) -> Any:
    """What an answer is made of: names and types, of a list its first element."""
    if isinstance(found, dict):
        return {name: shape(value) for name, value in found.items() if name not in ("path", "validation")}
    if isinstance(found, list):
        return [shape(found[0])] if found else []
    return type(found).__name__


def test_an_answer_of_the_schema_is_what_we_read(service: AniList, call: Client) -> None:
    assert decode_viewer(call(VIEWER)[1]["data"]).account_id == "anilist:7000001"
    if not EXAMPLES.is_file():
        pytest.skip("the examples of answers are not here")
    examples = json.loads(EXAMPLES.read_bytes())
    viewer = decode_viewer(examples["viewer"]["data"])
    assert (viewer.timezone, viewer.score_format) == ("+02:00", "POINT_10_DECIMAL")
    lists = examples["media_list_collection_chunk1"]["data"]
    rows, more = decode_lists(lists)
    assert [row.get("id") for row in rows] == [500000001, 500000002, 500000003, None]
    assert not more


def test_a_token_that_is_not_taken(service: AniList, call: Client) -> None:
    told = sample("invalid_token")
    call.token = "nothing"  # noqa: S105
    status, body, _ = call(LISTS, user=1)
    assert (status, shape(body)) == (told["http"], shape(told["body"]))
    assert body["errors"][0]["message"] == told["body"]["errors"][0]["message"]


def test_nothing_there(service: AniList, call: Client) -> None:
    told = sample("not_found")
    status, body, _ = call('query{User(name:"nobody"){id}}')
    assert (status, shape(body)) == (told["http"], shape(told["body"]))
    assert body["errors"][0]["message"] == told["body"]["errors"][0]["message"]


def test_a_field_that_is_not_there(service: AniList, call: Client) -> None:
    told = sample("unknown_field")
    status, body, _ = call("query{MediaList(id:1){nonexistentField}}")
    assert (status, shape(body)) == (told["http"], shape(told["body"]))
    assert body["errors"][0]["message"] == told["body"]["errors"][0]["message"]


def test_a_validation(service: AniList, call: Client) -> None:
    told = sample("validation")
    number = film(1).ids[1].value
    status, body, _ = call(SAVE, m=int(number), r=101)
    assert (status, shape(body["errors"])) == (told["http"], shape(told["body"]["errors"]))
    assert body["errors"][0]["validation"] == {"scoreRaw": ["The scoreRaw may not be greater than 100."]}
    assert call(SAVE, m=123, r=1)[1]["errors"][0]["validation"] == {"mediaId": ["The selected media id is invalid."]}


def test_too_much_at_once(service: AniList, call: Client) -> None:
    words = sample("too_complex")["message"]
    service.complexity = 20
    status, body, _ = call(LISTS, user=1)
    assert (status, body["data"]) == (400, None)
    assert body["errors"][0]["message"].partition(" should be ")[0] == words.partition(" should be ")[0]


def test_a_service_that_is_shut(service: AniList, call: Client) -> None:
    told = sample("api_disabled")
    service.disabled = True
    status, body, _ = call(VIEWER)
    assert (status, body["errors"][0]["message"]) == (told["http"], told["body"]["errors"][0]["message"])


def test_a_minute_that_is_full(call: Client) -> None:
    told = sample("rate_limited")
    at = [1_800_000_000.0]
    with AniList(now=lambda: at[0], pace=True) as service:
        call = Client(service)
        statuses = [call(VIEWER)[0] for _ in range(31)]
        assert statuses == [200] * 30 + [429]
        status, body, headers = call(VIEWER)
        assert (status, set(headers)) == (told["http"], set(told["headers"]) | {"Date"})
        assert shape(body["errors"][0]) | {"locations": []} == shape(told["body"]["errors"][0]) | {"locations": []}
        at[0] += 59
        assert call(VIEWER)[0] == 429
        at[0] += 2
        assert call(VIEWER)[0] == 200


def test_without_a_token_lists_are_seen_and_not_written(service: AniList, call: Client) -> None:
    call.token = None
    assert call(LISTS, user=service.world.user_id)[0] == 200
    status, body, _ = call(SAVE, m=int(film(1).ids[1].value))
    assert (status, body["errors"][0]["message"]) == (401, "Unauthorized.")


# --- lists and entries ----------------------------------------------------------------------------


def test_an_entry_is_in_the_list_of_its_status_and_in_custom_lists(service: AniList, call: Client) -> None:
    service.world.custom_lists = ["Best", "Empty"]
    title = service.world.know(film(1))
    one = service.world.entry(title, status="COMPLETED", custom={"Best"})
    service.world.split_completed = True
    query = "query($u:Int){MediaListCollection(userId:$u,type:ANIME){lists{name status isCustomList entries{id}}}}"
    groups = call(query, u=service.world.user_id)[1]["data"]["MediaListCollection"]["lists"]
    names = [(group["name"], group["status"], group["isCustomList"]) for group in groups]
    assert names == [("Completed MOVIE", "COMPLETED", False), ("Best", None, True)]
    one.hidden = True
    groups = call(query, u=service.world.user_id)[1]["data"]["MediaListCollection"]["lists"]
    assert [group["name"] for group in groups] == ["Best"]


def test_parts_of_a_large_list(service: AniList, call: Client) -> None:
    for n in range(1, 8):
        service.world.entry(service.world.know(film(n)))
    service.roots.largest = 5
    variables = {"user": service.world.user_id}
    rows, more = decode_lists(call(LISTS, **variables)[1]["data"])
    assert (len(rows), more) == (5, False)
    parts = [decode_lists(call(LISTS, **variables, chunk=n, size=4)[1]["data"]) for n in (1, 2)]
    assert [(len(rows), more) for rows, more in parts] == [(4, True), (3, False)]


def test_one_failing_alias_leaves_the_others(service: AniList, call: Client) -> None:
    numbers = [int(film(n).ids[1].value) for n in (1, 2)]
    service.roots.refused[numbers[0]] = FieldError("You are not authorized to modify this MediaList", 403)
    query = "mutation{" + " ".join(f"a{n}:SaveMediaListEntry(mediaId:{n}){{id mediaId}}" for n in numbers) + "}"
    status, body, _ = call(query)
    assert (status, body["errors"][0]["path"]) == (403, [f"a{numbers[0]}"])
    assert body["data"][f"a{numbers[0]}"] is None
    assert body["data"][f"a{numbers[1]}"]["mediaId"] == numbers[1]
    service.paths = False
    assert "path" not in call(query)[1]["errors"][0]


def test_a_save_changes_what_it_names_and_an_entry_is_gone_for_good(service: AniList, call: Client) -> None:
    title = service.world.know(series(1))
    held = service.world.entry(title, status="CURRENT", progress=4, notes="mine")
    before = held.updated_at
    assert call(SAVE, m=title.id, r=70)[0] == 200
    assert (held.status, held.progress, held.notes, held.score) == ("CURRENT", 4, "mine", 70)
    assert held.updated_at > before
    query = "mutation($i:Int){DeleteMediaListEntry(id:$i){deleted}}"
    assert call(query, i=held.id)[1]["data"]["DeleteMediaListEntry"] == {"deleted": True}
    assert call(query, i=held.id)[0] == 404


def test_numbers_of_my_anime_list_stand_for_manga_too(service: AniList, call: Client) -> None:
    service.world.add(Title(9, 15_001, "A book", format="MANGA", type="MANGA"))
    title = service.world.know(film(1))
    assert title.mal == 15_001
    data = call("query{Page{media(idMal_in:[15001]){id}} b:Page{media(idMal_in:[15001],type:ANIME){id}}}")[1]["data"]
    assert {one["id"] for one in data["Page"]["media"]} == {9, title.id}
    assert [one["id"] for one in data["b"]["media"]] == [title.id]


@pytest.mark.parametrize("form", list(SHOWN))
def test_formats_of_scores(form: str) -> None:
    shown = {SHOWN[form](raw) for raw in range(101)}
    assert {SHOWN[form](STORED[form](one)) for one in shown} == shown
    assert SHOWN[form](0) == 0


def test_reads_that_lag(service: AniList, call: Client) -> None:
    title = service.world.know(film(1))
    service.lag()
    service.world.entry(title)
    assert decode_lists(call(LISTS, user=service.world.user_id)[1]["data"])[0] == []
    service.settle()
    assert len(decode_lists(call(LISTS, user=service.world.user_id)[1]["data"])[0]) == 1


def test_pages_for_people_and_regions(service: AniList, call: Client) -> None:
    service.needs_referer = True
    assert call(VIEWER)[0] == 403
    service.challenge = True
    assert "<html>" in str(call(VIEWER)[1])
