"""How the makers of a model run it: what a row of the family table says beside where the attention lies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from ..engines.edited_id.wanted import LARGE, Wanted

Text = Literal["encoded", "zeros"]
"""What no prompt is: the text encoder's answer to an empty prompt, with the family's own template where it has one, or
zeros, which the model was trained on."""
Concat = Literal["", "masked picture", "picture"]
"""What stands beside the noise in the network's input: nothing, a mask and the picture without what it covers, or a
whole picture."""


@dataclass(frozen=True)
class Empty:
    """The conditioning of zeros that stands for no prompt where no text encoder is at hand.

    `width`: paths whose product is the width of a text token; `tokens`: how many; `pooled`: the width of the pooled
    text, by the first path that leads to one; `pooled_if`: path of a setting without which there is no pooled text;
    `counted`: the model wants the number of tokens. Paths lead into the host's model configuration or into the
    network; a number stands for itself.
    """

    width: tuple[str, ...]
    tokens: int = 1
    pooled: tuple[str | int, ...] = ()
    pooled_if: str = ""
    counted: bool = False


@dataclass(frozen=True)
class Profile:
    """How one model of a family is run. The first profile of a row whose conditions hold counts.

    Conditions: `config`: the host's configuration class, or one that it derives from; `named`: words, one of which
    stands in the model's file name, for models that differ in their weights alone; `by_lora`: or in a LoRA's;
    `channels`: of the network's input; `v_prediction`. `size`: side in pixels of the pictures that it was made for.
    `source`: where these facts come from. `text`: what no prompt is. `guidance`: embedded guidance of the sources and
    of the target, where the network reads one. `references`: it was trained with reference pictures; `method`: of the
    host for them, where the network has no own. `concat`: what stands beside the noise. `steps`: of a distilled model,
    which is run on its own noise levels; 0 for others; `few`: of its distilled versions, whose file names need not say
    it; 0 where there is no one number. `wanted`: how much a run does where nobody says; in a distilled model's own
    steps `wanted.DISTILLED` counts. `refusal`: why it cannot be used.
    """

    title: str
    size: int
    source: str
    config: str = ""
    named: tuple[str, ...] = ()
    by_lora: bool = False
    channels: int = 0
    v_prediction: bool = False
    text: Text = "encoded"
    guidance: tuple[float, float] | None = None
    references: bool = False
    method: str = ""
    concat: Concat = ""
    steps: int = 0
    few: int = 0
    wanted: Wanted = LARGE
    refusal: str = ""


def file_words(path: Any) -> str:
    """The name of a model's file as words in small letters with a space around each, as " my lightning 4step "."""
    name = PurePath(str(path).replace("\\", "/")).name if path else ""
    name = re.sub(r"\.(safetensors|gguf|sft|ckpt|pth?|bin)$", "", name, flags=re.IGNORECASE)
    parted = re.sub("([a-z0-9])([A-Z])", r"\1 \2", name)
    return f" {' '.join(re.findall(r'[a-z0-9.]+', parted.lower()))} "


def holds(profile: Profile, config: Any, words: str, channels: int, v_prediction: bool) -> bool:
    """Whether a profile's conditions hold for a model: its host configuration, file words, input channels."""
    classes = {c.__name__ for c in type(config).__mro__}
    return ((not profile.config or profile.config in classes)
            and (not profile.named or any(f" {word} " in words for word in profile.named))
            and (not profile.channels or profile.channels == channels)
            and (not profile.v_prediction or v_prediction))


def distilled_steps(words: str, signs: Sequence[tuple[str, int]], few: int = 0) -> int:
    """Steps in which a distilled model is run by its file's words, 0 where nothing tells that it is distilled. A number
    in the name, as in "4step", counts before `few`, the family's, and that before the sign's own."""
    sign = next((steps for pattern, steps in signs if re.search(pattern, words)), 0)
    told = re.search(r" (\d{1,2}) ?steps? ", words)
    return int(told[1]) if sign and told and int(told[1]) else sign and (few or sign)
