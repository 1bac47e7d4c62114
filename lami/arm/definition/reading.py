"""One definition while it is read: its parameters, what its expressions come to, what was found in it.

A text is *flat* without its expressions: a plain parameter's value stands in its place, a secure one is
`{=x}`, an app setting is `{=@}`, and whatever else is made when the workflow runs is `{}`. Nothing is put in
twice, so parameters that speak of each other don't matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lami.core import audiences
from lami.core.ids import MAX_LENGTH
from lami.core.model import Part, PartKind

Json = Mapping[str, object]

ADDRESS = 8_000
"""Characters of an address, or of a header, that are read; Azure takes fewer."""
PARAMETER = re.compile(r"(?i)parameters\(\s{0,20}'([^']{1,200})'\s{0,20}\)")
KEPT = re.compile(r"\{=([^{}]{1,200})\}")
"""Where a secure parameter, or an app setting, stands in a flat text."""

_SECURE = frozenset({"securestring", "secureobject"})
_NAME = 80
_SETTING = re.compile(r"(?i)@?\{?\s{0,20}appsetting\(\s{0,20}'[^']{1,200}'\s{0,20}\)\s{0,20}\}?")
_OF_A_SETTING = "@"
"""In a secure parameter's place, where an app setting stands: its name is not kept."""
_WHOLE = re.compile(r"(?i)@\{?\s{0,20}parameters\(\s{0,20}'([^']{1,200})'\s{0,20}\)\s{0,20}\}?")
_EXPRESSION = re.compile(r"@\{([^{}]{0,1000})\}")
_MADE = re.compile(r"\{[^{}]{0,1000}\}")
_HOST = re.compile(r"(\*|[a-z0-9-]{1,63})([.][a-z0-9-]{1,63})+")


@dataclass(slots=True)
class Reading:
    """`values` are those of parameters, by lower-case name; `secure` the names of those that are secrets.

    `within` says which workflow of an app it is, where it has several.
    """

    values: Mapping[str, object]
    secure: frozenset[str]
    connections: Json = field(default_factory=dict)
    within: str = ""
    found: set[Part] = field(default_factory=set)
    identities: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    oddities: set[str] = field(default_factory=set)

    def add(self, kind: PartKind, where: str, what: str) -> None:
        """Note a part."""
        self.found.add(Part(kind, where, what))

    def refer(self, identity: str, where: str) -> None:
        """Note where an identity is referred to."""
        self.identities.setdefault(identity.lower(), (identity, set()))[1].add(where)

    def odd(self, what: str) -> None:
        """Note what was not understood."""
        self.oddities.add(what)

    def flat(self, value: object) -> str:
        """A text without its expressions, cut to what is read of an address; empty where it is no text."""
        if not isinstance(value, str):
            return ""
        text = value[:ADDRESS].strip().replace("@@", "")
        if text.startswith("@") and not text.startswith("@{"):
            return self._put(text[1:])
        return _EXPRESSION.sub(lambda found: self._put(found[1]), text)

    def resolved(self, value: object) -> str | None:
        """A text with plain parameters put in; None where it is no text, or another expression is left."""
        flat = self.flat(value)
        return None if not isinstance(value, str) or "{" in flat else flat

    def secures(self, value: object) -> str:
        """The first secure parameter that an expression is made of, in lower case; else empty."""
        if not isinstance(value, str) or "@" not in value:
            return ""
        names = (name.lower() for name in PARAMETER.findall(value))
        return next((name for name in names if name in self.secure), "")

    def source(self, value: object) -> str:
        """Where a secret comes from, as far as can be said without the secret. Flat text will do too."""
        plain = parameter_of(value)
        named = KEPT.search(flat := self.flat(value))
        parameter = named[1] if named else plain
        if parameter in self.secure or parameter in self.values:
            return f", from parameter {shown(parameter)}"
        if parameter == _OF_A_SETTING:
            return ", from an app setting"
        return ", from an expression" if "{}" in flat else ", written in the definition"

    def _put(self, expression: str) -> str:
        if _SETTING.fullmatch(expression.strip()):
            return f"{{={_OF_A_SETTING}}}"
        parameter = parameter_of(f"@{expression}")
        plain = None if parameter in self.secure else self.values.get(parameter)
        if isinstance(plain, str) and len(plain) < 400 and _SETTING.fullmatch(plain.strip()):
            return f"{{={parameter.strip('{}')}}}"
        if parameter and isinstance(plain, str) and len(plain) <= MAX_LENGTH and "@" not in plain:
            return plain
        secure = self.secures(f"@{expression}")
        return f"{{={secure.strip('{}')}}}" if secure else "{}"


def parameter_of(value: object) -> str:
    """The parameter, in lower case, that a value is and nothing else; empty where it is anything else."""
    found = _WHOLE.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 400 else None
    return found[1].lower() if found else ""


def host_of(flat: str) -> str:
    """The host of an address that is flat, in lower case; empty where it cannot be made out."""
    scheme, found, rest = _MADE.sub(audiences.ANY, flat.lower()).partition("://")
    if found and scheme not in ("https", "http"):
        return ""
    host = re.split(r"[/?#]", rest if found else scheme, maxsplit=1)[0].rpartition("@")[2]
    host = re.sub(r":\d{1,5}$", "", host).rstrip(".")
    return host if _HOST.fullmatch(host) else ""


def obj(value: object) -> Json:
    """A JSON object, or an empty one where something else stands."""
    return value if isinstance(value, dict) else {}


def word(value: object) -> str:
    """A text as it is compared; empty where it is none."""
    return value.strip().lower() if isinstance(value, str) else ""


def shown(name: str) -> str:
    """A name as it may be kept: not too long, and of characters that can be printed."""
    cut = name if len(name) <= _NAME else name[: _NAME - 1] + "…"
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "�" for c in cut)


def declared_in(block: object) -> dict[str, Json]:
    """Parameters as they are declared, by their names."""
    return {name: obj(each) for name, each in obj(block).items()}


def reading_of(declared: Mapping[str, Json], given: Mapping[str, object]) -> Reading:
    """A reading with these parameters: those that are given a value have that, the others their default."""
    values = {name: each.get("defaultValue") for name, each in declared.items()}
    values |= {name: value for name, value in given.items() if value is not None}
    return Reading(
        values={name.lower(): value for name, value in values.items()},
        secure=frozenset(
            name.lower() for name, each in declared.items() if word(each.get("type")) in _SECURE
        ),
    )
