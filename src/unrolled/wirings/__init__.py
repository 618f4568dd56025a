"""Which steps read an input, and which give an output."""

from unrolled.wirings.many_to_many import Sizes, TokenModel
from unrolled.wirings.stack import Dropouts, Recurrence, Stack

__all__ = ["Dropouts", "Recurrence", "Sizes", "Stack", "TokenModel"]
