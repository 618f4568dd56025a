"""One field of a config: what its declaration says, and what follows from it for values and messages."""

import math
import re
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from msgspec import Meta

from unrolled.errors import OptionError, nearest

Seconds = Annotated[float, "seconds"]
Steps = Annotated[int, "steps"]
Share = Annotated[float, Meta(ge=0, lt=1)]

MOST = 2**31 - 1
"""The largest whole number of a field that names no other: no size of a network, no count comes near it."""


def at_least(least: float, text: str) -> Meta:
    """A number that has a lower limit only."""
    return Meta(ge=least, description=text)


class Field(NamedTuple):
    """One field of the config, as its declaration says."""

    name: str
    kind: type
    """bool, int, float, str, or tuple (of str)."""
    unit: str
    """``"seconds"``, ``"steps"`` or nothing: what besides a plain number a text may say."""
    choices: tuple[str, ...]
    limits: tuple[Meta, ...]
    default: Any
    help: str

    @classmethod
    def declared(cls, name: str, annotation: Any, default: Any) -> "Field":
        """Reads the declaration ``annotation`` of a field."""
        base, *metadata = get_args(annotation)
        choices = get_args(base) if get_origin(base) is Literal else ()
        metas = tuple(m for m in metadata if isinstance(m, Meta))
        unit = next((m for m in metadata if isinstance(m, str)), "")
        text = next(m.description for m in metas if m.description)
        return cls(name, str if choices else get_origin(base) or base, unit, choices, metas, default, text)

    def check(self, value: object) -> None:
        """Checks the type and the limits of a value.

        Raises:
            OptionError: they are not kept.
        """
        if self.choices:
            good = value in self.choices
        elif self.kind is tuple:
            good = isinstance(value, tuple) and all(isinstance(v, str) and _is_unicode(v) for v in value)
        elif self.kind is float:
            good = isinstance(value, float) and math.isfinite(value) and self.is_within(value)
        else:
            good = type(value) is self.kind and (not isinstance(value, int) or self.is_within(value))
        if not good:
            raise self.error(value)

    def is_within(self, value: float) -> bool:
        """Whether a number keeps the limits."""
        if isinstance(value, int) and value > self.most:
            return False
        return all(
            (m.ge is None or value >= m.ge)
            and (m.gt is None or value > m.gt)
            and (m.le is None or value <= m.le)
            and (m.lt is None or value < m.lt)
            for m in self.limits
        )

    @property
    def most(self) -> int:
        """The largest whole number that it takes."""
        return next((int(m.le) for m in self.limits if m.le is not None), MOST)

    def rule(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return f"be one of {', '.join(self.choices)}"
        words = [
            f"{word} {limit:{',' if isinstance(limit, int) else 'g'}}"
            for m in self.limits
            for word, limit in (("at least", m.ge), ("above", m.gt), ("at most", m.le), ("below", m.lt))
            if limit is not None
        ]
        kinds = {bool: "on or off", int: "a whole number", float: "a number", str: "a text", tuple: "texts"}
        kind = "a duration such as 90s, 10m or 2h" if self.unit == "seconds" else kinds[self.kind]
        return f"be {kind}, {' and '.join(words)}" if words else f"be {kind}"

    def error(self, got: object) -> OptionError:
        """The error of a value that cannot be."""
        fix = nearest(got, self.choices) if self.choices and isinstance(got, str) else ""
        too_large = self.kind is int and isinstance(got, int) and got > self.most
        return OptionError(
            f"config: {self.name}",
            f"be at most {self.most:,}" if too_large else self.rule(),
            repr(got) if isinstance(got, str) else got,
            fix if fix.startswith("Did") else f"Leave it out for {shown(self.default)}.",
        )

    def value(self, given: object) -> Any:
        """The value that a text, a list, a switch or a whole number means; else it is given back as it is.

        Raises:
            OptionError: a text that cannot be read as this field's type.
        """
        if self.kind is tuple:
            return (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else given
        if isinstance(given, bool) and {"on", "off"} <= {*self.choices}:
            return "on" if given else "off"
        if self.kind is float and type(given) is int:
            return float(given)
        if not isinstance(given, str) or self.kind is str:
            return given
        try:
            return self._parsed(given.strip().lower())
        except ValueError:
            raise self.error(given) from None

    def _parsed(self, text: str) -> Any:
        if self.kind is bool:
            return {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}.get(
                text, text
            )
        if self.unit == "seconds":
            return seconds(text)
        if self.unit == "steps" and text == "whole":
            return 0
        return self.kind(text)


def seconds(text: str) -> float:
    """Reads a duration: a number of seconds, or numbers with units, largest first.

    Raises:
        ValueError: it is none.

    Example:
        >>> seconds("1h30m"), seconds("90"), seconds("1.5s")
        (5400.0, 90.0, 1.5)
    """
    number = r"(\d+(?:\.\d+)?)"
    found = re.fullmatch(rf"(?:{number}h)?(?:{number}m(?:in)?)?(?:{number}s?)?", text)
    if not text or not found:
        raise ValueError(text)
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def shown(value: object) -> str:
    """A value as one would type it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8, which a file's name need not be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
