"""Turns a layer of torch.nn into ours and back by changing its class: the object stays, and all it holds."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from torch.nn import Module
from torch.nn.utils.parametrize import is_parametrized

from unrolled.errors import OptionError

AnyModule = TypeVar("AnyModule", bound=Module)


def base_class(module: Module) -> type[Module]:
    """The class of ``module`` without the one that `torch.nn.utils.parametrize` put in front of it."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def switch(module: Module, target: type[Module]) -> None:
    """Makes ``target`` the class of ``module``; its Parameters, hooks and mode stay the very same objects."""
    if is_parametrized(module):
        own = {
            name: value
            for name, value in vars(type(module)).items()
            if name not in ("__dict__", "__weakref__")
        }
        target = type(f"Parametrized{target.__name__}", (target,), own)
    module.__class__ = target


def copied(module: Module, source: type[Module], target: type[Module]) -> Any:
    """A deep copy of ``module``, a ``source``, as a ``target``.

    Raises:
        OptionError: ``module`` is of another class, or cannot be copied.
    """
    if base_class(module) is not source:
        subject, rule = (
            f"{target.__name__}: the module to copy",
            f"be a {source.__module__}.{source.__name__}",
        )
        raise OptionError(subject, rule, type(module).__name__, "Hand over one of that very class.")
    twin = deep_copy(module, f"{target.__name__}: the module to copy")
    switch(twin, target)
    return twin


def deep_copy(module: AnyModule, subject: str) -> AnyModule:
    """A deep copy of ``module``.

    Raises:
        OptionError: torch refuses, as after a call of a pruned layer, which leaves a weight with its history.
    """
    try:
        return copy.deepcopy(module)
    except (RuntimeError, TypeError) as error:
        rule = "be one that copy.deepcopy copies"
        fix = "Call it within torch.no_grad() first: that drops the history of weights which hooks compute."
        raise OptionError(subject, rule, f"{type(module).__name__}, which it cannot", fix) from error
