"""The shape of `pairs.toml`: which keys there are, of which type, in which range.

The only module that loads pydantic. `Tables` merges the file with the environment; pairs have a
model each; the keys of an account are the provider's, so `accounts` checks them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from cwsync.config.durations import parse_duration
from cwsync.config.variables import PREFIX, Variable
from cwsync.model import Conflict, Feature, Kind, Match, Mode, OnGuard, Plays, RemoveMode

# With $PYDANTIC_SETTINGS_DEBUG the library logs every value it merges, secrets too.
logging.getLogger("pydantic_settings").setLevel(logging.WARNING)


def _hold_removed(value: object) -> timedelta | None:
    return None if value == "auto" else parse_duration(value)


def _day(value: object) -> object:
    """A date; of a point in time its day, in UTC when it says its zone."""
    if not isinstance(value, datetime):
        return value
    try:
        return (value.astimezone(UTC) if value.tzinfo else value).date()
    except OverflowError:
        raise ValueError("is outside the calendar") from None


# Strict models take an enum only as itself; a file can but write its text.
_Lax = Field(strict=False)
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Day = Annotated[date, BeforeValidator(_day)]
Percent = Annotated[int, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class FeatureTable(_Table):
    """The keys every feature has."""

    add: bool = True
    update: bool = True
    remove: bool = False
    remove_mode: Annotated[RemoveMode, _Lax] = RemoveMode.FOLLOW
    conflict: Annotated[Conflict, _Lax] = Conflict.SOURCE
    hold_new: Duration = timedelta(0)
    hold_removed: Annotated[timedelta | None, BeforeValidator(_hold_removed)] = None
    types: Annotated[frozenset[Annotated[Kind, _Lax]], Field(min_length=1, strict=False)] = frozenset(Kind)
    since: Day | None = None
    until: Day | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.until and self.until < self.since:
            raise ValueError("until is before since")
        return self


class HistoryTable(FeatureTable):
    """History: which plays."""

    plays: Annotated[Plays, _Lax] = Plays.NEWEST


class ProgressTable(FeatureTable):
    """Progress: what counts as having begun, moved, ended. Seconds, seconds, percent of the length."""

    min_seconds: Count = 60
    delta_seconds: Count = 30
    max_percent: Percent = 95


class GuardTable(_Table):
    """The numbers at which a run refuses to write."""

    max_remove_percent: Percent = 10
    max_remove: Count = 100
    free_removes: Count = 5
    max_add_percent: Percent = 50
    free_adds: Count = 50
    max_update_percent: Percent = 30
    free_updates: Count = 10
    min_overlap_percent: Percent = 90
    on_guard: Annotated[OnGuard, _Lax] = OnGuard.STOP


class PairTable(_Table):
    """One pair. A feature is on when its table is there."""

    source: str
    target: str
    mode: Annotated[Mode, _Lax] = Mode.ONE_WAY
    match: Annotated[Match, _Lax] = Match.IDS
    ids: str | None = None
    anime: Annotated[tuple[dict[str, Any], ...], _Lax] = ()
    watchlist: FeatureTable | None = None
    ratings: FeatureTable | None = None
    history: HistoryTable | None = None
    progress: ProgressTable | None = None
    guards: GuardTable = GuardTable()

    def feature(self, feature: Feature) -> FeatureTable | None:
        """The table of a feature, or None when it is off."""
        table: FeatureTable | None = getattr(self, feature.value)
        return table


class _Document(TomlConfigSettingsSource):
    """The file, already read and parsed: it is read once, so what was checked is what is used."""

    def __init__(self, settings_cls: type[BaseSettings], data: dict[str, Any]) -> None:
        super().__init__(settings_cls, toml_file=None)
        self._data = data

    def __call__(self) -> dict[str, Any]:
        return self._data


class _AccountVariables(EnvSettingsSource):
    """``CWSYNC_ACCOUNTS__NAME__KEY`` from the mapping given, never from the process."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, Variable]) -> None:
        self._variables = variables
        super().__init__(settings_cls, case_sensitive=False)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): variable.value for name, variable in self._variables.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ARG002
        # Text it stays: whether it is JSON is for the account's option to say.
        return value

    def __call__(self) -> dict[str, Any]:
        # The library splits at the first "__"; an account may have one in its name, or a "-" for a "_".
        tables: dict[str, dict[str, Any]] = {}
        by_name = {name.lower(): variable for name, variable in self._variables.items()}
        for name, table in super().__call__().get("accounts", {}).items():
            for key, value in table.items():
                variable = by_name[f"{PREFIX}{name}__{key}".lower()]
                tables.setdefault(variable.account, {})[variable.key] = value
        return {"accounts": tables} if tables else {}


class Tables(BaseSettings):
    """The whole file with the environment laid over it. Only `accounts` may come from the environment."""

    model_config = SettingsConfigDict(
        env_prefix="CWSYNC_", env_nested_delimiter="__", env_nested_max_split=2, case_sensitive=True, extra="allow"
    )

    accounts: dict[str, Any] = Field(default_factory=dict)
    pairs: dict[str, Any] = Field(default_factory=dict)

    def __init__(self, document: Mapping[str, Any], variables: Mapping[str, Variable]) -> None:
        super().__init__(document=document, variables=variables)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file; nothing else."""
        given = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
        return _AccountVariables(settings_cls, given["variables"]), _Document(settings_cls, given["document"])
