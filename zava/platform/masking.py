"""Hides secrets and personal data in whatever is logged: by the shape of a value, and by the name it stands under.

It is the last net, not the rule: the code does not log such values. But an exception of a driver, a URL of an SDK or a
person's print in a hurry may hold one, and a log is read by more people than a vault. `logs.py` and the telemetry
backends put everything through it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

MASK = "***"

# Parts of names whose values are never shown, whatever they look like. Compared without case, hyphens and underscores.
_NAMES = (
    "password passwd passphrase secret token apikey accesskey accountkey sharedkey privatekey signingkey functionskey "
    "masterkey subscriptionkey encryptionkey hostkey credential authorization connectionstring cookie signature "
    "assertion bearer sessionid codeverifier creditcard cardnumber email phone firstname lastname birthdate"
).split()
_WHOLE_NAMES = frozenset("pwd dsn sas sig otp pin ssn iban cvv address".split())
_HARMLESS = frozenset("tokenid tokentype secretname".split())
"""They name a secret without being one."""

_QUOTED_OR_BARE = r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;&"'<>(){}\[\]]+)"""
_WORDS = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token|credential|authorization|cookie|api[-_]?key|(?:account|access|"
    r"shared[-_]?access|shared|private|signing|functions|master|subscription|encryption|host)[-_]?key|signature|assertion|code[-_]?verifier|"
    r"connection[-_]?string|dsn|sig|cvv|ssn)"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A private key in PEM, also one that was cut or written in one line.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    # JSON Web Tokens, whole or cut.
    (re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*){0,4}"), MASK),
    (re.compile(r"\b(bearer|basic|negotiate|sharedkey(?:lite)?)(\s+)[\w+/=.:~-]{6,}", re.IGNORECASE), rf"\1\2{MASK}"),
    # user:password@ of any URL or DSN. The last @ ends it, and a slash does not, since passwords hold both.
    (
        re.compile(r"\b([a-z][a-z0-9+.-]{1,30}://)(?:[^\s/?#\"'<>:@]*:[^\s\"'<>]*|[^\s/?#\"'<>]*)@", re.IGNORECASE),
        rf"\1{MASK}@",
    ),
    # ?sig=... &code=... and other parameters that open doors.
    (
        re.compile(
            r"([?&;](?:sig|code|key|token|access_token|id_token|refresh_token|api[-_]?key|client_secret|state|assertion|"
            r"code_verifier|password)=)[^&#\s\"'<>]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # A tenant signing key and the signed context made with it (zava/data/tenant_context.py).
    (re.compile(r"\b([a-z0-9]{1,16}:)[0-9a-f]{64}\b"), rf"\1{MASK}"),
    (re.compile(r"\|[0-9a-f]{64}\b"), f"|{MASK}"),
    # name=value, name: value, "name": "value" and 'name' => 'value', the name holding one of the words.
    (
        re.compile(
            rf"""(["']?\b(?:[\w.-]{{0,40}}?[-_.]?)?{_WORDS}s?(?:[-_]?(?:value|text))?["']?\s*(?:=>|[=:])\s*)(?!\*\*\*){_QUOTED_OR_BARE}""",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # Keys that can be told by their first letters.
    (
        re.compile(r"\b(?:sk-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|AKIA[0-9A-Z]{16}|xox[abpr]-[\w-]{10,})"),
        MASK,
    ),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\b"), MASK),
)


def mask(text: str) -> str:
    """The text with everything hidden that looks like a secret or an address of a person."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def mask_value(value: object, name: str = "") -> object:
    """A value as it may be logged: texts masked, and whatever stands under a sensitive name hidden, at any depth.

    Numbers, truth values and None are shown: they are no secrets. What is none of JSON's types is shown as its text.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        entries = cast("Mapping[object, object]", value)
        return {mask(str(key)): mask_value(entry, str(key)) for key, entry in entries.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(entry, name) for entry in cast("list[object]", value)]
    if _is_sensitive(name):
        return MASK
    return mask(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _is_sensitive(name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return plain in _WHOLE_NAMES or (plain not in _HARMLESS and any(part in plain for part in _NAMES))
