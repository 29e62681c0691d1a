"""The prompt of a run that was given none: what a model's makers use for an empty one, or a few words about a face."""

from __future__ import annotations

from typing import Any

from .model_profile import check_prompt, profile_of

SUBSTITUTE = ("No text encoder: zeros stand for the empty prompt that this model was trained with. For the true one "
              "connect the model's text encoder to clip, or CLIP Text Encode without words to positive.")


def prompt_without_words(model: Any, clip: Any, text: str = "") -> tuple[Any, str]:
    """A conditioning for `text`, "" for no prompt, and a sentence where a substitute stands for it, else "".

    `clip`: the host's CLIP or None. The conditioning is None where zeros are to be used: the model was trained on them,
    or nothing better is at hand. Raises ValueError where `clip` belongs to another model, or is missing for words.
    """
    if text and clip is None:
        raise ValueError("prompt: words need a text encoder; connect clip, or leave prompt empty.")
    profile = profile_of(model)
    if not text and profile is not None and profile.text == "zeros":
        return None, ""
    if clip is None:
        return None, SUBSTITUTE if profile is not None else ""
    made = clip.encode_from_tokens_scheduled(clip.tokenize(text))
    check_prompt(model, made, "clip")
    return made, ""
