"""The files that a MODEL was read from, whose names tell what its weights do not: an edit model, a distilled one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

FILES_KEY = "editedid_files"
_LOADED = re.compile(r"ckpt|checkpoint|unet|model|lora|gguf")
"""What loaders call the inputs that name the file of a model or of a LoRA."""
_HANDED_ON = re.compile(r"model|unet|lora|pipe|ctx|context")
"""What nodes call the inputs through which a model, its LoRAs or a bundle that holds them come."""
_OTHERS = re.compile(r"clip|vae|text|control|upscale|strength|type")
"""What they call inputs beside, and a model's that name no file."""


@dataclass(frozen=True)
class ModelFiles:
    """Names of files: `model`: of the weights; `loras`: of the LoRAs on them. The nearest to the asking node first."""

    model: tuple[str, ...] = ()
    loras: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.model or self.loras)


NO_FILES = ModelFiles()


def with_files(model: Any, files: ModelFiles) -> Any:
    """The MODEL, told which files it was read from."""
    if model is None or not files:
        return model
    clone = model.clone()
    clone.model_options["transformer_options"][FILES_KEY] = files
    return clone


def files_of(model: Any) -> ModelFiles:
    """What is known of a MODEL's files: by `with_files`, and by the host's own loaders."""
    told = model.model_options.get("transformer_options", {}).get(FILES_KEY, NO_FILES)
    made = getattr(model, "cached_patcher_init", None)
    own = (str(made[1][0]),) if made and made[1] and made[1][0] else ()
    return ModelFiles((*own, *told.model), told.loras)


def files_before(prompt: Any, node: Any, socket: str = "model") -> ModelFiles:
    """The files that the nodes before an input were told to load.

    `prompt`: the graph in the host's API form; `node`: id of the node whose input `socket` is asked for. Packs' own
    loaders are read too, and rows of LoRAs in one node; a LoRA that is off or of strength 0 is none.
    """
    found: dict[bool, list[str]] = {False: [], True: []}
    links, seen = [_inputs(prompt, node).get(socket)], set()
    while links:
        link = links.pop(0)
        if not _is_link(link) or link[0] in seen:
            continue
        seen.add(link[0])
        inputs = _inputs(prompt, link[0])
        links += [value for name, value in inputs.items() if _HANDED_ON.search(name.lower())]
        for name, file in _named(inputs):
            found["lora" in name].append(file)
    return ModelFiles(tuple(found[False]), tuple(found[True]))


def _named(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Inputs of a loader, in small letters, and the files that they name."""
    off = any("strength" in name and "clip" not in name and value == 0 for name, value in inputs.items())
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            if value.get("on", True):
                yield from _named(value)
        elif isinstance(value, str) and _names_a_file(name) and value not in ("", "None"):
            if not (off and "lora" in name.lower()):
                yield name.lower(), value


def _names_a_file(name: str) -> bool:
    return bool(_LOADED.search(name.lower())) and not _OTHERS.search(name.lower())


def _inputs(prompt: Any, node: Any) -> Mapping[str, Any]:
    """The inputs of a node of a graph; none where there is no such node."""
    found = prompt.get(str(node)) if isinstance(prompt, Mapping) else None
    inputs = found.get("inputs") if isinstance(found, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def _is_link(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], (str, int))
