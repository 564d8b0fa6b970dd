"""What the simulated AniList executes: the schema that AniList publishes where it is at hand, else a small part of it.

The part was written for this project: the types, fields and arguments that cwsync uses. A test proves
that it says nothing which the published one does not.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema

PUBLISHED = Path(__file__).parents[3] / "shared" / "specs" / "anilist" / "schema.graphqls"

OWN = """
enum MediaType { ANIME MANGA }
enum MediaFormat { TV TV_SHORT MOVIE SPECIAL OVA ONA MUSIC MANGA NOVEL ONE_SHOT }
enum MediaStatus { FINISHED RELEASING NOT_YET_RELEASED CANCELLED HIATUS }
enum MediaListStatus { CURRENT PLANNING COMPLETED DROPPED PAUSED REPEATING }
enum ScoreFormat { POINT_100 POINT_10_DECIMAL POINT_10 POINT_5 POINT_3 }
scalar Json

type FuzzyDate { year: Int month: Int day: Int }
input FuzzyDateInput { year: Int month: Int day: Int }
type MediaTitle { romaji(stylised: Boolean): String english(stylised: Boolean): String }
type UserOptions { timezone: String }
type MediaListTypeOptions { customLists: [String] }
type MediaListOptions { scoreFormat: ScoreFormat animeList: MediaListTypeOptions }
type User { id: Int! name: String! options: UserOptions mediaListOptions: MediaListOptions }

type Media {
  id: Int!
  idMal: Int
  title: MediaTitle
  type: MediaType
  format: MediaFormat
  status(version: Int): MediaStatus
  episodes: Int
  seasonYear: Int
  startDate: FuzzyDate
  mediaListEntry: MediaList
}

type MediaList {
  id: Int!
  userId: Int!
  mediaId: Int!
  status: MediaListStatus
  score(format: ScoreFormat): Float
  progress: Int
  repeat: Int
  private: Boolean
  notes: String
  hiddenFromStatusLists: Boolean
  customLists(asArray: Boolean): Json
  startedAt: FuzzyDate
  completedAt: FuzzyDate
  updatedAt: Int
  createdAt: Int
  media: Media
}

type MediaListGroup {
  entries: [MediaList]
  name: String
  isCustomList: Boolean
  isSplitCompletedList: Boolean
  status: MediaListStatus
}

type MediaListCollection { lists: [MediaListGroup] user: User hasNextChunk: Boolean }
type PageInfo { total: Int perPage: Int currentPage: Int lastPage: Int hasNextPage: Boolean }

type Page {
  pageInfo: PageInfo
  media(id: Int, idMal: Int, type: MediaType, id_in: [Int], idMal_in: [Int]): [Media]
}

type Deleted { deleted: Boolean }

type Query {
  Page(page: Int, perPage: Int): Page
  Media(id: Int, idMal: Int, type: MediaType): Media
  MediaList(id: Int, userId: Int, mediaId: Int): MediaList
  MediaListCollection(
    userId: Int, userName: String, type: MediaType, status: MediaListStatus, chunk: Int, perChunk: Int
  ): MediaListCollection
  User(id: Int, name: String): User
  Viewer: User
}

type Mutation {
  SaveMediaListEntry(
    id: Int, mediaId: Int, status: MediaListStatus, score: Float, scoreRaw: Int, progress: Int, repeat: Int,
    private: Boolean, notes: String, hiddenFromStatusLists: Boolean, customLists: [String],
    startedAt: FuzzyDateInput, completedAt: FuzzyDateInput
  ): MediaList
  UpdateMediaListEntries(ids: [Int], status: MediaListStatus, scoreRaw: Int, progress: Int): [MediaList]
  DeleteMediaListEntry(id: Int): Deleted
}
"""


@cache
def own() -> GraphQLSchema:
    """The part that is written here."""
    return build_schema(OWN)


@cache
def schema() -> GraphQLSchema:
    """What the simulator executes."""
    return build_schema(PUBLISHED.read_text("utf-8")) if PUBLISHED.is_file() else own()


def published() -> GraphQLSchema:
    """What AniList publishes; the test is skipped where it is not at hand."""
    if not PUBLISHED.is_file():
        pytest.skip("the published schema of AniList is not here")
    return schema()
