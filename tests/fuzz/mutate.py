"""Broken documents made from sound ones: at the level of bytes, of tokens, and of the tree or the cells.

A mutant is a pure function of a document and a few whole numbers, so hypothesis can shrink it, and the
same numbers always make the same mutant.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from hypothesis import strategies as st

Step = tuple[int, int, int]
Mutator = Callable[[bytes, Sequence[Step]], bytes]

_NUMBER = st.integers(0, 1 << 16)
STEPS: Final = st.lists(st.tuples(_NUMBER, _NUMBER, _NUMBER), min_size=1, max_size=4)
DEEP: Final = 20_000

# JSON that may stand where a value stands: odd, extreme, or not JSON at all.
RAW: Final = (
    *(
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1",
        "7",
        "8.5",
        "0.5",
        "-0.0",
        "1e308",
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
    ),
    *(str(10**18), str(10**30), f"-{10**30}", "1" + "0" * 400, "9" * 4300, "9" * 5000, "01", "0x10", "1_0"),
    *('""', '" "', r'"\ud800"', r'"\u0000"', r'"\u001b]52;c;eA==\u0007"', r'"\u202e[/]"', '"\t"', '"open', "'text'"),
    *('"movie"', '"show"', '"season"', '"episode"', '"tt0000001"', '"603"', '"../../etc/passwd"', '"ratings"', '"1"'),
    *('"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999Z"', '"0001-01-01T00:00:00+23:59"', '"0001-01-01"'),
    *('"9999-12-31"', '"9999-12-31T23:59:59-23:59"', '"2024-02-30"', '"2024-05-01"', '"2024-W01-1"', '"20240501"'),
    *('"2024-05-01T24:00:00Z"', '"2024-05-01T10:00:00"', '"2024-05-01T10:00:00.123456789Z"', '"2024-05-01T10Z"'),
    *("[]", "{}", "[[]]", '{"a":{}}', '{"a":1,"a":2}', '[1,"1",null]', "[" * DEEP + "]" * DEEP, '{"a":' * DEEP, "/**/"),
    f'"{"x" * 100_000}"',
)
BYTES: Final = (
    *(b"", b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\x1a", b"\x1b[2J"),
    *(b'"', b"'", b"\\", b",", b";", b"\t", b"{", b"}", b"[", b"]", b"=", b"#", b":", b'"""', b"\xe2\x80\xae"),
    *(
        b"\xe2\x80\xa8",
        b"\x85",
        b"\xf0\x9f\x8e\xac",
        b"[" * 3000,
        b"{" * 3000,
        b"9" * 5000,
        b'"' * 3000,
        b"x" * 100_000,
    ),
)
# Tokens of TOML, and values of it that are odd where they stand.
WORDS: Final = (
    *("true", "0", "-1", "nan", "inf", "1e999", "9" * 30, "9" * 5000, "0x" + "f" * 5000, '""', "''", '"""', "'''"),
    *('"\\u0000"', '"\\ud800"', '"~nobody/x"', '"~"', '"/dev/null"', '"/"', '"."', '"a\\nb"', '"0s"', '"999999999d"'),
    *(
        "2024-01-01",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "10:00:00",
        "[]",
        "{}",
        "[[]]",
        "{a.b=1}",
    ),
    *(
        "[accounts.home]",
        "[[pairs]]",
        "[pairs]",
        "[pairs.home-backup]",
        "[accounts.home.path]",
        "accounts",
        "pairs",
        "=",
    ),
    *("home", "backup", "imdb", "ratings", "guards", ".", "\n", "[", "]", "{", "}", ",", "#", "[" * 3000, "{a=" * 3000),
    *(
        ".a" * 3000,
        '"mirror"',
        '"two-way"',
        '"keep"',
        '"skip"',
        '"title-year"',
        '"hold"',
        '"all"',
        '["movie"]',
        '"tracker"',
    ),
)
CELLS: Final = (
    *(
        "",
        " ",
        "0",
        "-1",
        "10",
        "10.0",
        "9,5",
        "0.0000001",
        "11",
        "1e3",
        "NaN",
        "9" * 400,
        "tt0000001",
        "tt1",
        "603",
        "0",
    ),
    *("movie", "TV Series", "episode", "season", "Video Game", "x" * 2000, "2024-05-01", "2024-05-01T20:15:00Z", "\0"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2024-02-30", "999999999", "9999999999", "2024-W01-1"),
    *(
        "2024-05-01 20:15:00",
        "2024-05-01 20:15:00 UTC",
        " UTC",
        "=1+1",
        'a"b',
        "a\nb",
        "a\rb",
        "a,b",
        "\u202e",
        "\ud7ff",
    ),
    *(
        "Const",
        "Your Rating",
        "Title Type",
        "Letterboxd URI",
        "trakt_id",
        "rating",
        "Year",
        "show_imdb",
        "season",
        "\u0661",
    ),
)
_TOKENS = re.compile(r'"(?:[^"\\\n]|\\.)*"|[A-Za-z0-9_.:+-]+|\s+|.', re.DOTALL)


def mutate_bytes(data: bytes, steps: Sequence[Step]) -> bytes:
    """Cut, double, overwrite, flip: what a disk, an editor or a transfer may do to any file."""
    for what, where, payload in steps:
        at = where % (len(data) + 1)
        end = min(len(data), at + 1 + payload % 60)
        odd = BYTES[payload % len(BYTES)]
        data = (
            lambda: data[:at],  # noqa: B023 - called at once
            lambda: data[:at] + data[end:],  # noqa: B023
            lambda: data[:at] + data[at:end] * 2 + data[end:],  # noqa: B023
            lambda: data[:at] + odd + data[at:],  # noqa: B023
            lambda: data[:at] + odd + data[end:],  # noqa: B023
            lambda: data[:at] + bytes([data[at] ^ (1 << payload % 8)]) + data[at + 1 :] if at < len(data) else b"",  # noqa: B023
            lambda: data[at:] + data[:at],  # noqa: B023
        )[what % 7]()
    return data


def mutate_tokens(data: bytes, steps: Sequence[Step], words: Sequence[str] = WORDS) -> bytes:
    """Replace, drop, double or exchange words."""
    tokens = _TOKENS.findall(data.decode("utf-8"))
    for what, where, payload in steps:
        if not tokens:
            break
        at, other = where % len(tokens), payload % len(tokens)
        match what % 6:
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[at])
            case 2:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] = tokens[other]
            case _:
                tokens[at] = words[payload % len(words)]
    return "".join(tokens).encode("utf-8", "replace")


def mutate_json_tokens(data: bytes, steps: Sequence[Step]) -> bytes:
    """`mutate_tokens` with the words of JSON."""
    return mutate_tokens(data, steps, RAW)


def slots(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a tree that holds a value: its container and its key or index."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in list(items):
        yield node, key
        yield from slots(child)


def mutate_tree(data: bytes, steps: Sequence[Step]) -> bytes:
    """Change values, names and shapes of a JSON document, which stays JSON unless the new value is none."""
    document = json.loads(data)
    return _with_raw(_mutated(document, steps)).encode("utf-8", "surrogatepass")


def _mutated(document: Any, steps: Sequence[Step]) -> Any:
    for what, where, payload in steps:
        places = list(slots(document))
        if not places:
            return [document]
        box, key = places[where % len(places)]
        other, name = places[payload % len(places)]
        match what % 9:
            case 0:
                del box[key]
            case 1 if isinstance(box, dict):
                box[f"odd{payload}" if payload % 2 else str(name)] = box.pop(key)
            case 1 | 2:
                box[key] = [box[key]] if payload % 2 else {"a": box[key]}
            case 3:
                box[key] = json.loads(json.dumps(other[name]))
            case 4 if isinstance(box, list):
                box.insert(key, json.loads(json.dumps(box[key])))
            case _:
                box[key] = f"\0{payload % len(RAW)}\0"
    return document


def _with_raw(document: Any) -> str:
    text = json.dumps(document, ensure_ascii=bool(len(str(document)) % 2))
    return re.sub(r'"\\u0000(\d+)\\u0000"', lambda found: RAW[int(found[1]) % len(RAW)], text)


def mutate_cells(data: bytes, steps: Sequence[Step]) -> bytes:
    """Change cells, rows and headers of a CSV file."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
    for what, where, payload in steps:
        if not rows:
            break
        row = rows[where % len(rows)]
        cell = CELLS[payload % len(CELLS)]
        match what % 8:
            case 0 if row:
                del row[payload % len(row)]
            case 1:
                row.insert(payload % (len(row) + 1), cell)
            case 2:
                rows.insert(payload % len(rows), list(row))
            case 3:
                del rows[where % len(rows)]
            case 4 if rows[0]:
                rows[0][where % len(rows[0])] = cell
            case _ if row:
                row[what // 8 % len(row)] = cell
    out = io.StringIO(newline="")
    csv.writer(out, quoting=(csv.QUOTE_MINIMAL, csv.QUOTE_ALL)[len(rows) % 2]).writerows(rows)
    return out.getvalue().encode("utf-8", "replace")
