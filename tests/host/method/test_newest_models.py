"""Models that only newer hosts have, on stand-ins with their attention in the published order: the gates act there."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lab import toys
from lab.inprocess import Host
from lab.toys import TEXT, TOYS

CHANNELS, WIDTH, HEADS, LAYERS = 128, 32, 2, 2
KIND = "flux2"
"""The toy whose latents and host configuration the stand-in takes: flow, as many channels, one pixel a token."""
FILLED = 512
"""Tokens of text that the host's class for this toy fills every prompt up to."""
REFERENCES = [(8, 12), (3, 5)]
"""One as large as the latent, whose attention call has as many queries as the image's own."""


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.out = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))


class QwenImage21Transformer2DModel(nn.Module):
    """Qwen-Image-2.1 as far as gates meet it: one stream of text and references with the image behind; each part asks
    in an attention call of its own and sees what stands before it. `keep`: keys and values of text and references,
    which no noise level changes, are kept from the first step on."""

    dtype = torch.float32

    def __init__(self, keep: bool = False) -> None:
        super().__init__()
        self.keep, self.kept, self.calls = keep, {}, 0
        self.txt_in = nn.ModuleDict({"in_layer": nn.Linear(TEXT, WIDTH, bias=False)})
        self.img_in = nn.Linear(CHANNELS, WIDTH, bias=False)
        self.transformer_blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.proj_out = nn.Linear(WIDTH, CHANNELS, bias=False)
        toys.fill(self)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, options: dict[str, Any]) -> Tensor:
        self.calls += 1
        return importlib.import_module("comfy.ldm.modules.attention").optimized_attention(
            q, k, v, HEADS, mask=mask, transformer_options=options)

    def _before(self, block: Block, x: Tensor, lengths: Sequence[int], options: dict[str, Any]) -> Tensor:
        """The part before the image through one block: text causally, each reference as a whole."""
        outs, end = [], 0
        for i, length in enumerate(lengths):
            start, end = end, end + length
            mask = None if i else torch.ones(length, length, dtype=torch.bool).tril()
            outs.append(self._attend(block.to_q(x[:, start:end]), block.to_k(x[:, :end]), block.to_v(x[:, :end]), mask,
                                     options))
        return x + block.out(torch.cat(outs, 1))

    def forward(self, x: Tensor, timestep: Tensor, context: Tensor, ref_latents: Sequence[Tensor] | None = None,
                transformer_options: dict[str, Any] | None = None, **more: Any) -> Tensor:
        options = transformer_options or {}
        flat = [picture.flatten(2).transpose(1, 2) for picture in [*(ref_latents or ()), x]]
        before = torch.cat([self.txt_in["in_layer"](context), *(self.img_in(part) for part in flat[:-1])], 1)
        lengths = [context.shape[1], *(part.shape[1] for part in flat[:-1])]
        image = self.img_in(flat[-1]) * (1 + timestep[:, None, None])
        for i, block in enumerate(self.transformer_blocks):
            options["block_type"], options["block_index"] = "single", i
            name = (i, round(float(before.double().sum()), 9), before.shape)
            if not self.keep or name not in self.kept:
                after = self._before(block, before, lengths, options)
                self.kept[name] = (block.to_k(before), block.to_v(before), after)
            keys, values, before = self.kept[name]
            image = image + block.out(self._attend(
                block.to_q(image), torch.cat([keys, block.to_k(image)], 1), torch.cat([values, block.to_v(image)], 1),
                None, options))
        return self.proj_out(image).transpose(1, 2).reshape(x.shape) * 0.2


@pytest.fixture
def qwen21(host: Host) -> Callable[..., Any]:
    def make(keep: bool = False) -> Any:
        model = toys.make(TOYS[KIND])
        model.model.diffusion_model = QwenImage21Transformer2DModel(keep)
        return model

    return make


def prompt_with(references: Sequence[tuple[int, int]]) -> list[Any]:
    prompt = toys.conditioning(TOYS[KIND])
    if references:
        prompt[0][1]["reference_latents"] = [toys.latents(TOYS[KIND], *size, seed=i)[0]
                                             for i, size in enumerate(references)]
    return prompt


@pytest.mark.parametrize("references", [[], REFERENCES])
def test_the_gates_act_and_the_kept_keys_change_nothing(qwen21: Any, patched: Any, run: Any,
                                                        references: list[tuple[int, int]]) -> None:
    made = {}
    for keep in (False, True):
        model, prompt = qwen21(keep), prompt_with(references)
        plain = run(model, KIND, steps=3, prompt=prompt)
        made[keep] = {gate: run(patched(model, **{gate: 0.0}), KIND, steps=3, prompt=prompt)
                      for gate in ("structure", "detail")}
        assert all((gated - plain).abs().max() > 1e-3 for gated in made[keep].values())
    for gate in made[True]:
        torch.testing.assert_close(made[True][gate], made[False][gate], rtol=1e-4, atol=1e-5)
    assert model.model.diffusion_model.kept


def test_the_image_is_found_among_text_and_references(qwen21: Any) -> None:
    hook = importlib.import_module("editedid_core.comfy.attention_hook")
    run_module = importlib.import_module("editedid_core.engines.edited_id.attention.run")
    seen = []

    class Watch:
        latent_size = (8, 12)
        unreached = 0

        def edit(self, call: Any, attend: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            seen.append(call)
            assert q.shape[1] == 96 and k.shape[1] == call.keys_start + 96
            return attend(q, k, v)

    model = qwen21()
    hook.install(model, Watch(), lambda _: None)
    latent = toys.latents(TOYS[KIND])[0]
    sample = importlib.import_module("comfy.sample")
    with torch.inference_mode():
        sample.sample(model, torch.zeros_like(latent), 1, 1.0, "euler", "simple", prompt_with(REFERENCES),
                      prompt_with(REFERENCES), latent, disable_pbar=True, seed=1, sigmas=torch.tensor([0.5, 0.0]))
    assert model.model.diffusion_model.calls == LAYERS * (len(REFERENCES) + 2)  # text, each reference, the image
    before = FILLED + 96 + 15
    assert [(call.layer.block, call.start, call.keys_start) for call in seen] == [(i, 0, before) for i in range(LAYERS)]
    assert all(isinstance(call, run_module.AttentionCall) and call.grid == (8, 12) for call in seen)
