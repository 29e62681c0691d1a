"""A prompt with free places: vectors of our own where words would stand, at the input of the host's text encoders.

The places are those of an embedding file: a file of numbered rows is written, and the host's own tokenizers read it, so
whatever they do with `embedding:name` in a prompt is done here too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

Vectors = Mapping[str, Tensor]
"""By the host's name of a text encoder (`clip_l`, `t5xxl` and so on), vectors (K, width)."""

PLACE = "{name}"
"""Stands in a prompt where the tokens go."""

_FILE = "editedid_slots"
_NO_SLOTS = ("clip: this text encoder takes no embedding files, so no tokens can be fitted on it; use a model whose "
             "text encoder is CLIP, T5 or a language model of the host.")


@dataclass(frozen=True, eq=False)
class PromptSlots:
    """A tokenized prompt. tokens: the host's, by encoder and batch, in which a tuple (encoder, row) is a free place.
    encoders: by name, the host's module. clip: the host's CLIP."""

    clip: Any
    tokens: Mapping[str, Any]
    encoders: Mapping[str, Any]

    @staticmethod
    def of(clip: Any, prompt: str, count: int) -> PromptSlots:
        """The prompt with `count` free places where PLACE stands, in each of the text encoders.

        Raises ValueError, one sentence, where the prompt has no such place or the encoder takes no embeddings.
        """
        if prompt.count(PLACE) != 1:
            raise ValueError(f"prompt: write {PLACE} in it once, where the person's tokens go.")
        readers = _readers(clip)
        if not readers:
            raise ValueError(_NO_SLOTS)
        names = list(readers)
        marks = {name: torch.zeros(count, _width(encoder)) for name, (_, encoder) in readers.items()}
        for number, rows in enumerate(marks.values(), start=1):
            rows[:, 0], rows[:, 1] = number, torch.arange(count)
        with _temporary_folder() as folder:
            save_file(marks, str(Path(folder) / f"{_FILE}.safetensors"))
            with _reading_from(folder, [reader for reader, _ in readers.values()]):
                made = clip.tokenize(prompt.replace(PLACE, f"embedding:{_FILE}"))
        found: set[str] = set()

        def slot(token: Any) -> Any:
            if not isinstance(token, Tensor):
                return token
            found.add(names[int(token[0]) - 1])
            return names[int(token[0]) - 1], int(token[1])

        tokens = {key: [[(slot(token), *rest) for token, *rest in batch] for batch in batches]
                  for key, batches in made.items()}
        places = [sum(isinstance(token, tuple) for batch in batches for token, *_ in batch)
                  for batches in tokens.values()]
        if not found or any(number not in (0, count) for number in places):
            raise ValueError(_NO_SLOTS)
        return PromptSlots(clip, tokens, {name: readers[name][1] for name in names if name in found})

    def encode(self, vectors: Vectors) -> tuple[Tensor, dict[str, Any]]:
        """The conditioning that the text encoders make of the prompt with these vectors in its free places: tokens
        (1, N, width) and what belongs to them. The encoders must be loaded; gradients pass."""
        def filled(token: Any) -> Any:
            return vectors[token[0]][token[1]] if isinstance(token, tuple) else token

        tokens = {key: [[(filled(token), *rest) for token, *rest in batch] for batch in batches]
                  for key, batches in self.tokens.items()}
        model = self.clip.cond_stage_model
        model.reset_clip_options()
        if self.clip.layer_idx is not None:
            model.set_clip_options({"layer": self.clip.layer_idx})
        model.set_clip_options({"execution_device": self.clip.patcher.load_device})
        made = model.encode_token_weights(tokens)
        extra = dict(made[2]) if len(made) > 2 else {}
        return made[0], {**extra, "pooled_output": made[1]}

    def start(self, words: str, count: int, seed: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Vectors (count, width) to begin with, those of the words one after another and a little noise, and by encoder
        the size of a number in the words' vectors. Raises ValueError where the words are none."""
        generator = torch.Generator().manual_seed(seed)
        vectors, sizes = {}, {}
        for name, encoder in self.encoders.items():
            special = set(self._ids("", name))
            ids = [one for one in self._ids(words, name) if one not in special]
            if not ids:
                raise ValueError("start: give a word that the tokens begin as, such as person.")
            table = encoder.transformer.get_input_embeddings()
            place = torch.tensor([ids], device=self.clip.patcher.load_device)
            with torch.no_grad():
                rows = table(place, out_dtype=torch.float32)[0].cpu()
            size = float(rows.square().mean().sqrt())
            noise = torch.randn(count, rows.shape[-1], generator=generator)
            vectors[name] = rows[torch.arange(count) % len(rows)] + 0.1 * size * noise
            sizes[name] = size
        return vectors, sizes

    def _ids(self, text: str, name: str) -> list[int]:
        """The ids of a text's tokens for one encoder."""
        key = next(key for key, batches in self.tokens.items()
                   if any(isinstance(token, tuple) and token[0] == name for batch in batches for token, *_ in batch))
        return [token for batch in self.clip.tokenize(text)[key] for token, *_ in batch if isinstance(token, int)]


def _readers(clip: Any) -> dict[str, tuple[Any, Any]]:
    """By the name under which an embedding file holds its vectors, the tokenizer that reads them and its encoder."""
    found: dict[str, tuple[Any, Any]] = {}
    for attribute, reader in vars(clip.tokenizer).items():
        encoder = getattr(clip.cond_stage_model, attribute, None)
        if hasattr(reader, "embedding_directory") and hasattr(encoder, "transformer"):
            found.setdefault(reader.embedding_key, (reader, encoder))
    return found


def _width(encoder: Any) -> int:
    return int(encoder.transformer.get_input_embeddings().weight.shape[-1])


@contextmanager
def _temporary_folder() -> Iterator[str]:
    """A folder for a moment. Raises ValueError where nothing can be written there."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield folder
    except (OSError, SafetensorError) as error:
        raise ValueError(f"clip: the prompt needs a few bytes in the system's temporary folder, which cannot be "
                         f"written ({error}); make room there.") from error


@contextmanager
def _reading_from(folder: str, readers: list[Any]) -> Iterator[None]:
    """While it is open, tokenizers look for embedding files in `folder` alone."""
    with ExitStack() as restore:
        for reader in readers:
            restore.callback(setattr, reader, "embedding_directory", reader.embedding_directory)
            reader.embedding_directory = folder
        yield
