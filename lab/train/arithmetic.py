"""bfloat16 where a device computes in it. A processor that does not takes up to 16 times as long as in float32."""
from __future__ import annotations

import torch


def has_bfloat16(device: torch.device | str) -> bool:
    """Whether it is a graphics card, or a processor with instructions for bfloat16."""
    return torch.device(device).type != "cpu" or torch.cpu._is_avx512_bf16_supported()


def mixed(device: torch.device | str) -> torch.autocast:
    """A block in which networks compute in bfloat16 where `device` has it, and as they are elsewhere."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=has_bfloat16(device))
