"""Where words stand in a prompt as the host's own tokenizer sees it."""

from __future__ import annotations

from typing import Any

from ..engines.edited_id.attention.words import PromptWords

WORDS_KEY = "editedid_words"
"""Under this name a conditioning carries its `PromptWords`."""


def encode_with_words(clip: Any, text: str, face_words: str, element_words: str) -> list[list[Any]]:
    """The host's conditioning of `text`, carrying where the words stand.

    `clip`: a CLIP of the host; word lists are separated by commas, an entry may have several words. Raises ValueError
    when there is no text encoder or the prompt lacks a word.
    """
    if clip is None:
        raise ValueError(
            "clip: there is no text encoder (this checkpoint brings none), so words of a prompt cannot be found; "
            "connect Load CLIP, or leave Prompt Words out: the sampler works without a prompt."
        )
    face = find_words(clip, text, face_words, "face_words")
    element = find_words(clip, text, element_words, "element_words")
    conditioning = clip.encode_from_tokens_scheduled(clip.tokenize(text))
    return [[cond, {**extra, WORDS_KEY: PromptWords(face, element, cond.shape[1])}] for cond, extra in conditioning]


def find_words(clip: Any, text: str, words: str, name: str) -> tuple[int, ...]:
    """Positions of all tokens of the words in the conditioning of `text`; ValueError names input `name`."""
    prompt = _ids(clip, text)
    special = set(_ids(clip, ""))
    positions: set[int] = set()
    for word in (w.strip() for w in words.split(",")):
        if not word:
            continue
        wanted = [i for i in _ids(clip, word) if i not in special]
        starts = [s for s in range(len(prompt) - len(wanted) + 1) if wanted and prompt[s : s + len(wanted)] == wanted]
        if not starts:
            raise ValueError(f"{name}: '{word}' is not in the prompt '{text}'; write it there or drop it from {name}.")
        positions |= {s + i for s in starts for i in range(len(wanted))}
    return tuple(sorted(positions))


def _ids(clip: Any, text: str) -> list[int | None]:
    """Token ids of all pieces of the prompt, one after another as in the conditioning; None for an embedding."""
    batches = next(iter(clip.tokenize(text).values()))  # encoders of one model share the positions
    return [token if isinstance(token, int) else None for batch in batches for token, *_ in batch]
