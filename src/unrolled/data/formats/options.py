"""What a person says about a file that the file does not say itself."""

from __future__ import annotations

from dataclasses import dataclass

from unrolled.errors import OptionError


@dataclass(frozen=True)
class Options:
    """How files are to be read.

    Attributes:
        encoding: of text files.
        header: whether the first line has the names of the columns; None looks at it.
        names: of the columns, in their order, for files that have none.
        delimiter: what parts the columns, one character; nothing looks at the lines.

    Raises:
        OptionError: a delimiter that cannot be one.
    """

    encoding: str = "utf-8"
    header: bool | None = None
    names: tuple[str, ...] = ()
    delimiter: str = ""

    def __post_init__(self) -> None:
        if len(self.delimiter) > 1 or (self.delimiter and self.delimiter in '\r\n"\0 '):
            fix = "Leave it out to have it found."
            raise OptionError(
                "delimiter", "be a tab or another sign that cells lack", repr(self.delimiter), fix
            )
