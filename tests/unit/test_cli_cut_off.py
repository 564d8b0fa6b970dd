"""What is said of a tracker's file that ends too early."""

from __future__ import annotations

import pytest

from cwsync.model import Feature
from cwsync.providers._trackerfile import FileError, parse_file

TEXT = r"""{"schema": 1, "feature": "ratings", "items": [
  {"type": "movie", "title": "T\u00e9 \n", "x": [true, null, false, -1.5e-5], "ids": {"imdb": "tt0114709"}, "rating": 8}
]}"""


@pytest.mark.parametrize("length", range(len(TEXT)))
def test_a_file_that_is_cut_off_says_so(length: int) -> None:
    with pytest.raises(FileError) as caught:
        parse_file(TEXT[:length], Feature.RATINGS, lambda *_: None)
    assert caught.value.why == "the text ends too early; is the file cut off?"


@pytest.mark.parametrize(
    "wrong", ['{"a": tru}', '{"a": "\\u12"}', '{"a": "x\ny"}', '{"a": [1,]}', '{"a": {"b" 1}}', '{"a": [1 2], "b"']
)
def test_what_is_wrong_before_the_end_is_named(wrong: str) -> None:
    with pytest.raises(FileError) as caught:
        parse_file(wrong, Feature.RATINGS, lambda *_: None)
    assert "cut off" not in caught.value.why
