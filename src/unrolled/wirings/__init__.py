"""Which steps read an input, and which give an output."""

from unrolled.wirings.many_to_many import Dropouts, Sizes, TokenModel

__all__ = ["Dropouts", "Sizes", "TokenModel"]
