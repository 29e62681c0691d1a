"""One change to the shipped configuration, and how it reaches a run. Every choice is a field: nothing is patched."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from editedid_core.config import RestoreConfig
from editedid_core.engines.edited_id.attention.probe import GateName, read_choice
from editedid_core.engines.edited_id.wanted import SMALL

from .diffusion import DiffusionMethods, UnavailableError

BLOCK_WORDS = ("all", "early half", "late half", "probed")
GATES: dict[str, GateName] = {"entangle.structure_blocks": "structure", "entangle.detail_blocks": "detail"}


@dataclass(frozen=True)
class Change:
    """What differs from the shipped configuration. `values`: by path, such as {"crop.relight": 0}. `half`: the network
    in bfloat16. A block list may be one of BLOCK_WORDS, which only a model can resolve."""

    values: Mapping[str, Any] = field(default_factory=dict)
    half: bool = False

    def __or__(self, other: Change) -> Change:
        """Both changes; the other's values where they meet."""
        return Change({**self.values, **other.values}, self.half or other.half)

    @property
    def is_none(self) -> bool:
        """Whether this is the shipped configuration after all, on the lab's models."""
        shipped = RestoreConfig()
        try:
            return not self.half and _fitted(shipped.changed(self.values)) == _fitted(shipped)
        except ValueError:  # no such field: the run says so
            return False


def _fitted(config: RestoreConfig) -> RestoreConfig:
    return replace(config, sampling=config.sampling.as_wanted(SMALL), entangle=config.entangle.as_wanted(SMALL))


def values_for(change: Change, methods: DiffusionMethods, family: str) -> dict[str, Any]:
    """The change's values with words for blocks as lists of this model's. Raises UnavailableError where this model was
    not probed."""
    return {path: _blocks(path, value, methods, family) if path in GATES and value in BLOCK_WORDS else value
            for path, value in change.values.items()}


def _blocks(path: str, word: str, methods: DiffusionMethods, family: str) -> str:
    parts = methods.pack("editedid_core.comfy.model_profile").attention_blocks(methods.model)
    if word == "probed":
        file = methods.models / f"{family}_blocks.json"
        if not file.is_file():
            raise UnavailableError(f"there is no {file.name}: run bench probe first")
        try:
            return read_choice(file.read_text(encoding="utf-8"), GATES[path], parts, path)
        except ValueError as reason:
            raise UnavailableError(str(reason)) from reason
    names = [f"{part}.{number}" for part, numbers in parts.items() for number in numbers]
    middle = (len(names) + 1) // 2
    return ", ".join({"all": names, "early half": names[:middle], "late half": names[middle:]}[word])
