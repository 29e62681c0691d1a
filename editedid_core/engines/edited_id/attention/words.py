"""Words of the prompt in cross-attention: their maps come from a source instead of the target (METHOD §1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PromptWords:
    """Token positions of chosen words in a conditioning of `length` tokens: `face` words take their maps from the
    original, `element` words from the edited picture."""

    face: tuple[int, ...]
    element: tuple[int, ...]
    length: int

    def columns(self, tokens: int, which: tuple[int, ...], device: torch.device) -> Tensor:
        """Positions in a context of `tokens` tokens; a host that pads by repeating a conditioning repeats the word."""
        repeats = max(1, tokens // self.length)
        return torch.tensor([p + r * self.length for r in range(repeats) for p in which], dtype=torch.long,
                            device=device)


def replace_maps(q: Tensor, k: Tensor, v: Tensor, words: PromptWords, scale: float) -> Tensor:
    """What the target's cross-attention output changes by when its maps of the words are the sources' maps.

    `q`: (3, H, n, D), `k`, `v`: (3, H, tokens, D), rows original, edited, target, heads apart; `scale`: of the
    logits. Returns (1, H, n, D). Rows of the map are not normalised again, as in prompt-to-prompt editing.
    """
    maps = torch.softmax((q.float() @ k.float().transpose(-1, -2)) * scale, -1).to(v.dtype)
    change = torch.zeros_like(q[2:])
    for source, positions in ((0, words.face), (1, words.element)):
        columns = words.columns(k.shape[-2], positions, q.device)
        swapped = maps[source : source + 1].index_select(-1, columns) - maps[2:].index_select(-1, columns)
        change = change + swapped @ v[2:].index_select(-2, columns)
    return change
