"""The lab's text encoder: a file in CLIP-L's layout that any host loads, and the same arithmetic for training.

Its weights are made, not learnt: every token has a fixed random vector, the first layer adds to each token the mean
of itself and the tokens before it, and eleven layers add nothing. So a word keeps its own direction wherever it
stands, the end token sums up the prompt, and a prompt gives the same numbers on every machine.

    python -m lab.train.text FILE        writes the file for the host's text_encoders folder (246 MB, mostly holes)
"""
from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .. import models_io

WIDTH, TOKENS, LAYERS, VOCABULARY = 768, 77, 12, 49408
START, END = 49406, 49407
FILE = "people_text.safetensors"
MIXED = 2.0
"""How much of the mean of the tokens so far is added to each one."""
PLACED = 0.25
"""Size of the position vectors against the token vectors."""

WORDS: dict[str, tuple[int, ...]] = {
    "woman": (2308,), "man": (786,), "young": (1888,), "old": (896,), "dark hair": (3144, 2225),
    "brown hair": (2866, 2225), "blond hair": (32426, 2225), "red hair": (736, 2225), "grey hair": (5046, 2225),
    "bald": (14875,),
    "long hair": (1538, 2225), "short hair": (3005, 2225), "curly hair": (20795, 2225), "fringe": (10640,),
    "beard": (9052,), "stubble": (858, 5924), "moustache": (32795,), "glasses": (6116,), "sunglasses": (12906,),
    "hat": (3801,), "cap": (3938,), "scarf": (13365,), "earrings": (9136,), "smiling": (9200,), "laughing": (8301,),
    "mouth open": (4932, 1488), "frowning": (626, 86, 762), "surprised": (8949,), "eyes closed": (3095, 4552),
    "looking aside": (1312, 13676), "turned left": (3771, 1823), "turned right": (3771, 1155),
    "head down": (1375, 1136), "head up": (1375, 705), "light skin": (1395, 3575), "brown skin": (2866, 3575),
    "dark skin": (3144, 3575), "freckles": (48036,), "make-up": (1078, 268, 705), "studio": (3155,),
    "outdoors": (10469,), "indoors": (22973,), "night": (930,), "low light": (1042, 1395), "side light": (1145, 1395),
    ",": (267,), "a photo of a": (320, 1125, 539, 320), "portrait of a": (5352, 539, 320),
    "person": (2533,), "with": (593,), "and": (537,),
}
"""Token ids of the world's tags and of the words between them, as CLIP's tokenizer gives them (a test compares)."""

MIRRORED = {"turned left": "turned right", "turned right": "turned left"}
"""Tags that change places when a picture is mirrored."""


def mixed_bits(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Numbers -255/128 to 255/128 in steps of 1/64, exact in float16, hashed from integers (splitmix64's finaliser)."""
    with np.errstate(over="ignore"):
        x = (numbers.astype(np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x >> np.uint64(56)).astype(np.float32) * 2 - 255) / 128


def vectors(rows: np.ndarray, seed: int) -> np.ndarray:
    """The fixed random vectors (len(rows), 768) of tokens or positions."""
    return mixed_bits(rows.astype(np.uint64)[:, None] * np.uint64(WIDTH) + np.arange(WIDTH, dtype=np.uint64), seed)


def prompt_ids(words: Sequence[str], opening: str = "") -> list[int]:
    """Token ids of "opening word, word, ..." without start and end, cut where no more fits. KeyError: unknown word."""
    ids = list(WORDS[opening]) if opening else []
    for place, word in enumerate(words):
        more = (*(WORDS[","] if place else ()), *WORDS[word])
        if len(ids) + len(more) > TOKENS - 2:
            break
        ids += more
    return ids


class TextEncoder:
    """Prompts to the CONDITIONING that the host makes of them with the lab's encoder, for the words in WORDS."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.ids = np.array(sorted({i for ids in WORDS.values() for i in ids} | {START, END}))
        self._place = {int(number): place for place, number in enumerate(self.ids)}
        self.table = torch.from_numpy(vectors(self.ids, 1)).to(device)
        self.positions = torch.from_numpy(vectors(np.arange(TOKENS), 2) * PLACED).to(device)
        self.end = self._place[END]

    def rows(self, ids: Sequence[int]) -> np.ndarray:
        """uint8 (77,): the prompt's tokens as places in this encoder's table, start, end and padding with them."""
        full = [START, *ids, END]
        return np.array([self._place[i] for i in full] + [self.end] * (TOKENS - len(full)), np.uint8)

    def __call__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (B, 77) to context (B, 77, 768) and pooled (B, 768), float32."""
        rows = rows.long()
        x = self.table[rows] + self.positions
        seen = torch.arange(1, TOKENS + 1, device=x.device)[:, None]
        x = x + MIXED * F.layer_norm(x, (WIDTH,)).cumsum(1) / seen
        x = F.layer_norm(x, (WIDTH,))
        last = (rows == self.end).int().argmax(1)
        return x, x[torch.arange(len(x), device=x.device), last]


def write_file(path: Path) -> None:
    """Write the encoder as a CLIP-L file; its zeros are holes where the file system has them."""
    zero, identity = np.zeros(1, np.float16), np.eye(WIDTH, dtype=np.float16)
    tensors: dict[str, np.ndarray] = {
        "text_model.embeddings.token_embedding.weight": vectors(np.arange(VOCABULARY), 1).astype(np.float16),
        "text_model.embeddings.position_embedding.weight":
            (vectors(np.arange(TOKENS), 2) * PLACED).astype(np.float16),
        "text_projection.weight": identity}
    for layer in range(LAYERS):
        name = f"text_model.encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            works = layer == 0 and part in ("v_proj", "out_proj")
            matrix = identity * (MIXED if part == "out_proj" else 1) if works else zero
            tensors[f"{name}.self_attn.{part}.weight"] = np.broadcast_to(matrix, (WIDTH, WIDTH))
            tensors[f"{name}.self_attn.{part}.bias"] = np.broadcast_to(zero, (WIDTH,))
        for part, shape in (("fc1", (4 * WIDTH, WIDTH)), ("fc2", (WIDTH, 4 * WIDTH))):
            tensors[f"{name}.mlp.{part}.weight"] = np.broadcast_to(zero, shape)
            tensors[f"{name}.mlp.{part}.bias"] = np.broadcast_to(zero, shape[:1])
        for part in ("layer_norm1", "layer_norm2"):
            tensors |= _norm(f"{name}.{part}")
    tensors |= _norm("text_model.final_layer_norm")
    models_io.write(path, tensors, {"editedid": json.dumps({"made_by": "lab.train.text", "licence": "GPL-3.0"})})


def _norm(name: str) -> dict[str, np.ndarray]:
    return {f"{name}.weight": np.ones(WIDTH, np.float16), f"{name}.bias": np.zeros(WIDTH, np.float16)}


if __name__ == "__main__":
    write_file(Path(sys.argv[1]))
