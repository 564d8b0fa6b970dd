r"""Secrets of this process, and keeping them out of whatever people and files get to see.

Two nets. `remember` takes every secret as soon as it is known here, and `redact_known` finds it
again as it is and as encoders leave it: percent-encoded, escaped for JSON, Python or HTML, as hex,
and inside base64 wherever it begins there. `redact` also blanks what only looks like a secret by
where it stands: the value of ``Authorization``, of ``access_token=``, ``user:password@`` of a URL.
So a fresh token in an answer is covered before anyone has decoded it.

A secret shorter than `SHORTEST` is not looked for by its value: ``1234`` would blank the years of
films, and the holes would tell what it is. It is blanked where secrets stand, by the second net.
A secret that is an ordinary word is blanked wherever that word stands.

Results (pages, ``--json``) go through the first net only: a film may well be called ``token=1``.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterable
from functools import cache
from typing import Final

MASK: Final = "***"
SHORTEST: Final = 8


class _Trace:
    """One form of a secret: a text without which it cannot be there, and its pattern, compiled when that is."""

    __slots__ = ("_compiled", "_pattern", "gate")

    def __init__(self, form: str, before: str = "", behind: str = "", *, exact: bool = False) -> None:
        self.gate = form if exact else max(_RUN.findall(form), key=len, default="")
        self._pattern = re.escape(form) if exact else before + "".join(map(_spelt, form)) + behind
        self._compiled: re.Pattern[str] | None = None

    def blank(self, text: str) -> str:
        """`text` without it."""
        if self._compiled is None:
            self._compiled = re.compile(self._pattern)
        return self._compiled.sub(MASK, text)


# Longest secret first: one that begins like another must not leave its tail behind.
_known: list[tuple[str, list[_Trace]]] = []


def remember(secret: str) -> str:
    """Have every form of `secret` blanked from now on. Gives it back."""
    text = secret.strip()
    if len(text) >= SHORTEST and all(text != known for known, _ in _known):
        _known[:] = sorted([*_known, (text, _traces(text))], key=lambda entry: -len(entry[0]))
    return secret


def remember_url(url: str) -> None:
    """Have the password of ``scheme://user:password@host`` blanked from now on, as written and decoded."""
    host, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    password = host.partition(":")[2]
    if at and password:
        from urllib.parse import unquote

        remember(password)
        remember(unquote(password))


def redact_known(text: str) -> str:
    """`text` without the secrets that were remembered. For results: nothing else is touched."""
    for _, traces in _known:
        for trace in traces:
            if trace.gate in text:
                text = trace.blank(text)
    return text


def redact(text: str) -> str:
    """`text` without known secrets, and without what stands where secrets stand. For logs and errors."""
    text = redact_known(text)
    lowered = text.lower()
    for rule in _rules():
        if any(word in lowered for word in rule.words):
            text = rule.pattern.sub(rule.instead, text)
    return text


# --- known secrets ------------------------------------------------------------------------------

_RUN: Final = re.compile("[A-Za-z0-9]+")
_HTML: Final = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_B64: Final = "[A-Za-z0-9+/_-]"


def _traces(secret: str) -> list[_Trace]:
    """Every form in which encoders may leave `secret`."""
    data = secret.encode("utf-8", "surrogatepass")
    digits = data.hex()
    percent = "".join(f"%{byte:02x}" for byte in data)
    found = [_Trace(secret), *(_Trace(form, exact=True) for form in (digits, digits.upper(), percent, percent.upper()))]
    cores = dict.fromkeys(_base64(data))
    # What stands around it in the same base64 goes too: its ends hold bits of the secret.
    return found + [_Trace(core, f"(?<!{_B64}){_B64}*", f"{_B64}*(?:=|%3[Dd]){{0,2}}") for core in cores]


def _spelt(char: str) -> str:
    """A pattern for one character in any spelling: as it is, percent-encoded (twice, too), escaped."""
    if char.isascii() and char.isalnum():
        return char
    raw = char.encode("utf-8", "surrogatepass")
    units = char.encode("utf-16-be", "surrogatepass")
    code = ord(char)
    pairs = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
    ways = [
        re.escape(char),
        "".join(f"%(?:25)*{byte:02x}" for byte in raw),
        "".join(rf"\\+u{pair}" for pair in pairs),
        rf"\\+U{code:08x}",
        "".join(rf"\\+x{byte:02x}" for byte in raw),
        rf"&#0*{code};",
        rf"&#x0*{code:x};",
    ]
    if code < 0x100:
        ways.append(rf"\\+x{code:02x}")
    if char == " ":
        ways.append(r"\+")
    if char in "\"'\\/":
        ways.append(r"\\+" + re.escape(char))
    if char in _HTML:
        ways.append(f"&{_HTML[char]};")
    return f"(?i:{'|'.join(ways)})"


def _base64(data: bytes) -> Iterable[str]:
    """What of base64 is the same whatever stands before and behind `data`, for its three places in a group."""
    for shift in range(3):
        encoded = b2a_base64(bytes(shift) + data, newline=False).decode("ascii").rstrip("=")
        # Characters that also hold bits of a neighbour differ with it.
        core = encoded[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]
        yield core
        yield core.replace("+", "-").replace("/", "_")


# --- what stands where secrets stand ------------------------------------------------------------

# A name that ends like one of these is that of a secret: ``accessToken``, ``X-Plex-Token``.
_NAME: Final = (
    r"(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|authorization|credentials?|session[_-]?id|code_verifier"
    r"|device_code|(?<![a-z0-9])(?:pwd?|pin|(?:set-)?cookie))"
)
_NAMES: Final = (
    "token",
    "secret",
    "pass",
    "key",
    "authorization",
    "credential",
    "session",
    "code",
    "pw",
    "pin",
    "cookie",
)
# What may stand between such a name and its value, in groups 2 to 9, and the value.
_VALUES: Final = (
    r"(\\+[\"']\s*[:,=]\s*)(\\+[\"'])(?:(?!\3).)*",  # \"access_token\": \"abc\", JSON within JSON
    r"([\"']\s*[:,]\s*b?)([\"'])(?:\\.|(?!\5)[^\\])*",  # "access_token": "abc", also cut off; ("token", b'abc')
    r"(\"\s*:\s*)-?[0-9][0-9.e+-]*",  # "token": 12345678
    r"(=\\*([\"']))(?:(?!\8)[^\r\n\\])*",  # MediaBrowser Token="abc"
    r"(=|%(?:25)*3d|(?:(?<=_token)|(?<=_secret)): ?(?=[^\s]{16}))(?![\"'\\])(?:(?!%(?:25)*26)[^&\s\"'<>;,)\]}\\])+",
)
_HEADER: Final = r"(?:authorization|x-[a-z-]+-token|x-emby-authorization|cookie|[a-z]+-api-key)"
_BEGIN: Final = r"(?:(?<![a-z0-9_-])|(?<=\\[rn])|(?<=proxy-)|(?<=set-))"


class _Rule:
    """A pattern, what stands in its place, and words without one of which it cannot match."""

    __slots__ = ("instead", "pattern", "words")

    def __init__(self, words: tuple[str, ...], pattern: str, instead: str) -> None:
        self.words = words
        self.pattern = re.compile(pattern, re.IGNORECASE)
        self.instead = instead


@cache
def _rules() -> tuple[_Rule, ...]:
    """Compiled when first needed. Each takes time in proportion to the text, whatever a server sends."""
    return (
        # Authorization: Bearer abc; to the end of the line, also in b'...\r\n...'
        _Rule(_NAMES, rf"{_BEGIN}({_HEADER} ?: ?)(?![ '\"{{\[])(?:(?!\\[rn])[^\r\n])+", rf"\1{MASK}"),
        _Rule(_NAMES, f"({_NAME})(?:{'|'.join(_VALUES)})", rf"\1\2\3\4\5\6\7\9{MASK}"),
        # https://user:password@host, and the same as the value of a query
        _Rule(("://",), r"(://)[^\s/?#\"'<>]*@", rf"\1{MASK}@"),
        _Rule(("%",), r"(%(?:25)*3a(?:%(?:25)*2f){2})(?:(?!%(?:25)*2f)[^\s&\"'<>/?#])*(%(?:25)*40)", rf"\1{MASK}\2"),
        # Bearer abc, Basic dXNlcjpwYXNz: not "Basic Instinct"
        _Rule(
            ("bearer", "basic"),
            r"\b(Bearer|Basic)( +)(?=\S*[0-9=]|\S{20}|(?-i:\S*[a-z][A-Z]))[a-z0-9._~+/=-]{6,}",
            rf"\1\2{MASK}",
        ),
        # a JSON web token
        _Rule(("eyj",), r"(?<![a-z0-9_-])eyJ[a-z0-9_-]{8,}\.[a-z0-9_-]{8,}\.[a-z0-9_-]*", MASK),
    )


# --- for the HTTP stack -------------------------------------------------------------------------

_HARMLESS: Final = re.compile(
    r"accept(-.*)?|age|cache-control|connection|content-(encoding|length|type)|date|etag|host|if-none-match"
    r"|last-modified|retry-after|server|transfer-encoding|user-agent|vary|x-pagination-.*|x-ratelimit.*"
    r"|[a-z]+-api-version",
    re.IGNORECASE,
)


def safe_url(url: str) -> str:
    """A URL for people: no user, no fragment, and no value of a parameter that is called like a secret."""
    from urllib.parse import unquote_plus

    base, mark, query = url.partition("#")[0].partition("?")
    scheme, slashes, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    if "@" in host:
        base = f"{scheme}{slashes}{MASK}@{host.rpartition('@')[2]}{slash}{path}"
    parts = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        hidden = value and re.search(_NAME, unquote_plus(name), re.IGNORECASE)
        parts.append(f"{name}{equals}{MASK if hidden else value}")
    return redact(f"{base}{mark}{'&'.join(parts)}")


def safe_headers(headers: Iterable[tuple[str | bytes, str | bytes]]) -> list[tuple[str, str]]:
    """Headers for people, in order: the values of those that are known to be harmless, and no other."""
    shown = []
    for name, value in headers:
        text, content = (part.decode("latin-1") if isinstance(part, bytes) else part for part in (name, value))
        shown.append((text, redact(content) if _HARMLESS.fullmatch(text) else MASK))
    return shown
