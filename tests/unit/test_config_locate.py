"""Lines of keys, and words that were meant."""

from __future__ import annotations

import pytest

from cwsync.config.locate import did_you_mean, line_of, locate, path_text


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\nb = 2", ("b",), 2),
        ("\n# a = 1\n[t] # [u]\na = 1", ("t", "a"), 4),
        ("[t.u]\na = 1", ("t",), 1),
        ("[t.u]\n[t]\n", ("t",), 2),
        ("[t]\na.b.c = 1", ("t", "a", "b"), 2),
        ("[t]\na.b.c = 1", ("t", "a", "b", "c"), 2),
        ("[ t . u ]\n a = 1", ("t", "u", "a"), 2),
        ("[t]\n\"a b\" = 1\n'c.d' = 2", ("t", "c.d"), 3),
        ('[t."u\\u0041"]\na = 1', ("t", "uA", "a"), 2),
        ('a = """\nb = 1\n"""\nb = 2', ("b",), 4),
        ('a = """x\\"""" # "\nb = 2', ("b",), 2),
        ("a = '''\nb = 1\n''''\nb = 2", ("b",), 4),
        ("a = '''\\'''\nb = 2", ("b",), 2),
        ('a = "\\"\\\\" # "\nb = 2', ("b",), 2),
        ("a = '#'\nb = '\"'\nc = 1", ("c",), 3),
        ("a = [\n 1, # ]\n 'b = 2',\n]\nc = 3", ("c",), 5),
        ("a = { b = 1, c = { d = 2 }, e.f = 3 }\ng = 1", ("a", "e", "f"), 1),
        ("x = 0\na = { b = 1, c = { d = 2 }, e = 3 }\ng = 1", ("a", "c", "d"), 2),
        ("x = 0\na = [{ b = 1 }, { c = 2 }]\ng = 1", ("a", "c"), 2),
        ("a = {}\nb = []\nc = {}", ("c",), 3),
        ("[[t]]\na = 1\n[[t]]\nb = 1", ("t", "b"), 4),
        ("1.5 = 2\na = 1.5\nb = 1979-05-27T07:32:00Z\nc = 1", ("c",), 4),
        ("a = 1\r\nb = 2\r\n", ("b",), 2),
        ("[t]\na = 1", ("t", "missing"), 1),
        ("[t]\na = [1, 2]", ("t", "a", 1), 2),
        ("a = 1", ("missing",), None),
        ("", (), None),
    ],
)
def test_line_of(text: str, path: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(locate(text), path) == line


@pytest.mark.parametrize("text", ["]]}}", "[", "= =", "a = {{{", "[[[", '"', '"""', "a = ]", "[a\nb]\n= 1", "{,}"])
def test_text_that_is_no_toml_does_no_harm(text: str) -> None:
    assert isinstance(locate(text), dict)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("pairs", "a-b", "types", 0), "pairs.a-b.types[0]"),
        (("pairs", "a b"), 'pairs."a b"'),
        (("",), '""'),
        (("\x1b[31m\u202e",), '"\\u001b[31m\\u202e"'),
        (("k" * 100,), f'"{"k" * 64}..."'),
    ],
)
def test_path_text(path: tuple[str | int, ...], text: str) -> None:
    assert path_text(path) == text


@pytest.mark.parametrize(
    ("word", "guess"),
    [("remvoe", ' (did you mean "remove"?)'), ("REMOVE", ' (did you mean "remove"?)'), ("zzz", ""), ("", "")],
)
def test_did_you_mean(word: str, guess: str) -> None:
    assert did_you_mean(word, ["add", "update", "remove"]) == guess
