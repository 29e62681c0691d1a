"""One change to Restore Identity at a time, made from outside on whatever its default is at that moment.

Nothing here copies a setting: a change names the field and its other value, and is refused by name where the pack has
no such field any more. What is no setting of the pack (the paper's linear mixing, naive inversion, ...) is swapped in
for one call.
"""
from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import torch

from editedid_core.engines.edited_id.attention.probe import read_choice

from .diffusion import DiffusionMethods
from .swaps import SWAPS, UnavailableError, attribute

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What differs from the default. `inputs`: of the node; `settings`, `mixing`, `entangle`, `disentangle`,
    `options`: fields of the pack's dataclasses of these names; `swaps`: names out of `SWAPS`; `half`: bfloat16.

    The values of `entangle`'s block lists may be "all", "early half", "late half" of the model's blocks, or "probed".
    """

    inputs: Fields = field(default_factory=dict)
    settings: Fields = field(default_factory=dict)
    mixing: Fields = field(default_factory=dict)
    entangle: Fields = field(default_factory=dict)
    disentangle: Fields = field(default_factory=dict)
    options: Fields = field(default_factory=dict)
    swaps: tuple[str, ...] = ()
    half: bool = False


@dataclass(eq=False)
class Pack:
    """The pack as the host loaded it: its modules are other ones than the lab's own `editedid_core`."""

    methods: DiffusionMethods
    _in_half: Any = field(default=None, init=False)

    @property
    def node_module(self) -> ModuleType:
        return sys.modules[self.methods.restore_node.__module__]

    def core(self, name: str) -> ModuleType:
        """A module of `editedid_core`, such as "host.sampling"."""
        package = self.methods.restore_node.__module__.rsplit(".nodes.", 1)[0]
        try:
            return importlib.import_module(f"{package}.editedid_core.{name}")
        except ModuleNotFoundError as missing:
            raise UnavailableError(f"the pack has no module {name}") from missing

    def in_half(self) -> Any:
        """The model in bfloat16, loaded once."""
        if self._in_half is None:
            folders, sd = importlib.import_module("folder_paths"), importlib.import_module("comfy.sd")
            file = folders.get_full_path_or_raise("checkpoints", self.methods.file)
            loaded = sd.load_checkpoint_guess_config(file, output_vae=False, output_clip=False,
                                                     model_options={"dtype": torch.bfloat16})
            self._in_half = loaded[0]
            self._in_half.model.diffusion_model.register_forward_pre_hook(self.methods.count)
        return self._in_half


@dataclass(frozen=True, eq=False)
class Defaults:
    """What Restore Identity hands to the sampler and to the pipeline when nothing is changed."""

    settings: Any
    entangle: Any
    disentangle: Any
    options: Any
    inputs: Fields


class _CapturedError(Exception):
    """Ends a call of the node once its defaults are known."""


def defaults(pack: Pack, call: Callable[[], object]) -> Defaults:
    """The defaults that `call`, a run of Restore Identity on any picture with a face, arrives at."""
    caught: dict[str, Any] = {}
    sampling = pack.core("comfy.sampling")

    def sample_pair(model: Any, *rest: Any, **named: Any) -> Any:
        given = model.model_options["transformer_options"]
        caught.update(settings=rest[-1], entangle=given.get(sampling.ENTANGLE_KEY),
                      disentangle=given.get(sampling.DISENTANGLE_KEY))
        raise _CapturedError

    def restore(*arguments: Any, **named: Any) -> Any:
        caught["options"] = _options_of(arguments, named)
        return whole(*arguments, **named)

    node = pack.node_module
    whole = attribute(node, "restore")
    entries = pack.methods.restore_node.define_schema().inputs
    with _swapped(node, "sample_pair", sample_pair), _swapped(node, "restore", restore):
        try:
            call()
        except _CapturedError:
            return Defaults(inputs={e.id: getattr(e, "default", None) for e in entries}, **caught)
    raise RuntimeError("Restore Identity never sampled: its defaults are read on a picture in which a face is found.")


def is_default(change: Change, known: Defaults) -> bool:
    """Whether a change changes nothing, because the default is just that."""
    if change.swaps or change.half:
        return False
    if any(known.inputs.get(name, value) != value for name, value in change.inputs.items()):
        return False
    given = ((known.settings, change.settings), (getattr(known.settings, "mixing", None), change.mixing),
             (known.entangle, change.entangle), (known.disentangle, change.disentangle),
             (known.options, change.options))
    return all(getattr(holder, name, _ABSENT) == value for holder, fields in given for name, value in fields.items())


_ABSENT = object()


@contextmanager
def applied(change: Change, pack: Pack, family: str) -> Iterator[None]:
    """Within it every call of Restore Identity has the change (but for `inputs`, which the caller passes on).

    Raises UnavailableError where the pack has no such input, field or function.
    """
    known = {entry.id for entry in pack.methods.restore_node.define_schema().inputs}
    for name in change.inputs:
        if name not in known:
            raise UnavailableError(f"Restore Identity has no input {name}")
    node, sampling = pack.node_module, pack.core("comfy.sampling")
    plain_pair, plain_restore = attribute(node, "sample_pair"), attribute(node, "restore")

    def sample_pair(model: Any, positive: Any, negative: Any, *rest: Any, **named: Any) -> Any:
        settings = changed(rest[-1], change.settings)
        if change.mixing:
            settings = replace(settings, mixing=changed(settings.mixing, change.mixing))
        clone = pack.in_half().clone() if change.half else model.clone()
        given = dict(model.model_options["transformer_options"])
        for key, fields in ((sampling.ENTANGLE_KEY, change.entangle), (sampling.DISENTANGLE_KEY, change.disentangle)):
            if fields:
                given[key] = changed(given[key], {n: _blocks(n, v, clone, pack, family) for n, v in fields.items()})
        clone.model_options["transformer_options"] = given
        return plain_pair(clone, positive, negative, *rest[:-1], settings, **named)

    def restore(*arguments: Any, **named: Any) -> Any:
        if not change.options:
            return plain_restore(*arguments, **named)
        options = changed(_options_of(arguments, named), change.options)
        if "options" in named:
            return plain_restore(*arguments, **{**named, "options": options})
        return plain_restore(*(options if type(a) is type(options) else a for a in arguments), **named)

    with ExitStack() as stack:
        stack.enter_context(_swapped(node, "sample_pair", sample_pair))
        stack.enter_context(_swapped(node, "restore", restore))
        for name in change.swaps:
            for holder, own, value in SWAPS[name](pack.core):
                stack.enter_context(_swapped(holder, own, value))
        yield


def _options_of(arguments: tuple[Any, ...], named: Fields) -> Any:
    """The RestoreOptions among the pipeline's arguments."""
    found = [a for a in (*arguments, *named.values()) if type(a).__name__ == "RestoreOptions"]
    if not found:
        raise UnavailableError("the pipeline takes no RestoreOptions")
    return found[0]


def changed(given: Any, fields: Fields) -> Any:
    """A dataclass with other values in some fields; UnavailableError where it has no such field."""
    missing = [name for name in fields if not hasattr(given, name)]
    if missing:
        raise UnavailableError(f"{type(given).__name__} has no field {missing[0]}")
    return replace(given, **fields) if fields else given


def _blocks(name: str, value: Any, model: Any, pack: Pack, family: str) -> Any:
    """Words for block lists as a list of this model's blocks; anything else unchanged."""
    if value not in ("all", "early half", "late half", "probed"):
        return value
    parts = pack.core("comfy.model_profile").attention_blocks(model)
    if value == "probed":
        file = pack.methods.models / f"{family}_blocks.json"
        if not file.is_file():
            raise UnavailableError(f"there is no {file.name}: run bench probe first")
        return read_choice(file.read_text(encoding="utf-8"), "detail" if name.startswith("detail") else "structure",
                           parts, name)
    names = [f"{part}.{number}" for part, numbers in parts.items() for number in numbers]
    middle = (len(names) + 1) // 2
    return ", ".join({"all": names, "early half": names[:middle], "late half": names[middle:]}[value])


@contextmanager
def _swapped(holder: Any, name: str, value: Any) -> Iterator[None]:
    before = attribute(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)
