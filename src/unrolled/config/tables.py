"""What the configs of tasks have whose data are rows of named columns, in files of any format."""

from typing import Annotated, Literal

from msgspec import Meta

from unrolled.config.examples import ExamplesConfig

READING = "encoding format header names delimiter drop_missing"
"""The fields that say how files are read."""


class TableConfig(ExamplesConfig, frozen=True, kw_only=True):
    """What all tasks with rows have. Abstract: a task's own config says the sections."""

    format: Annotated[
        str, Meta(description="of the files, such as csv or jsonl, instead of what they look like")
    ] = ""
    header: Annotated[
        Literal["guess", "on", "off"], Meta(description="whether the first line has the columns' names")
    ] = "guess"
    names: Annotated[tuple[str, ...], Meta(description="of the columns, where the files have none")] = ()
    delimiter: Annotated[str, Meta(description="what parts columns, instead of what lines look like")] = ""
    drop_missing: Annotated[bool, Meta(description="leave out rows in which something is missing")] = False
