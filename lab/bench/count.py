"""Memory and launches by count: the host's real networks at full size on tensors without contents.

Every tensor that lives is counted with its bytes, through real code; nothing is computed, so any size fits anywhere.
On a real device the same code computes and the same count is of real tensors (lab/bench/memory_run.py).
Fused attention needs no more than what goes in and comes out, as it does on a graphics card; workspaces inside
operators and the allocator's rounding are not in the figures. A card's own figures are in docs/SPEED.md.
"""
from __future__ import annotations

import copy
import importlib
import weakref
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from . import published, runs
from .sizes import Size, Subject, make

MIB = 2**20
META = torch.device("meta")


class Living(TorchDispatchMode):
    """Counts the bytes of a device's storages that operators make, the most at once, and operators that write."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device_type = device.type
        self.now = self.most = self.launches = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor) and tensor.device.type == self.device_type:
                self._watch(tensor.untyped_storage(), 0)  # there before: weights, inputs
        result = func(*args, **(kwargs or {}))
        if not func.is_view and func._schema.name not in ("aten::empty", "aten::empty_like", "aten::_unsafe_view"):
            self.launches += 1
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.device.type == self.device_type:
                storage = tensor.untyped_storage()
                self._watch(storage, storage.nbytes())
        return result

    def _watch(self, storage: torch.UntypedStorage, size: int) -> None:
        address = storage._cdata
        if address in self._known:
            return
        self._known.add(address)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, address, size)

    def _gone(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.now -= size


@dataclass(frozen=True)
class Count:
    """MiB beyond the weights at the highest point, and operators launched."""

    mib: float
    launches: int
    record_mib: float = 0.0


@dataclass(eq=False)
class Network:
    """One model at one size, on META without contents, and what a run of ours asks of it."""

    subject: Subject
    levels: int = field(default_factory=lambda: runs.levels())

    @classmethod
    def of(cls, size: Size, dtype: torch.dtype = torch.float16, device: torch.device = META) -> Network:
        return cls(make(size, device, dtype))

    @property
    def device(self) -> torch.device:
        return self.subject.model.load_device

    def evaluate(self, model: Any, samples: int, sigma: float, chunks: int = 1,
                 embedding: Tensor | None = None) -> Tensor:
        """One evaluation through the host's BaseModel, with the model's own wrappers, patches and options."""
        subject, base = self.subject, model.model
        options = {**model.model_options["transformer_options"], "wrappers": {**model.wrappers},
                   "cond_or_uncond": list(range(chunks))[::-1], "sigmas": torch.full((1,), sigma)}
        dtype = base.get_dtype()
        shape = subject.original.shape[1:]
        rows = samples
        prompt, extra = subject.prompt[0]
        given: dict[str, Any] = {}
        if "pooled_output" in extra:
            width = getattr(base, "adm_channels", 0) or extra["pooled_output"].shape[-1]
            given["y"] = torch.randn(rows, width, dtype=dtype, device=self.device)
        if not runs.is_unet(model):
            given["guidance"] = torch.full((rows,), 3.5, device=self.device)
        schedule = base.model_sampling  # the run reads its values; the evaluation must not
        base.model_sampling = copy.deepcopy(schedule).to(self.device)
        if embedding is None:
            embedding = torch.randn(rows, *prompt.shape[1:], dtype=dtype, device=self.device)
        answer = base.apply_model(
            torch.randn(rows, *shape, device=self.device), torch.full((rows,), sigma, device=self.device),
            c_crossattn=embedding, transformer_options=options, **given)
        base.model_sampling = schedule
        return answer

    def plain(self) -> Count:
        """The plain model doing the same evaluations in the same batches."""
        with torch.inference_mode(), Living(self.device) as living:
            model = self.subject.model.clone()
            model.model_options["transformer_options"]["optimized_attention_override"] = _fused
            for rows, times in Counter(len(rows.value) for rows in self._rows()).items():
                before = living.launches
                self.evaluate(model, rows, 1.0)
                living.launches += (times - 1) * (living.launches - before)  # the others are the same again
        return Count(living.most / MIB, living.launches)

    def ours(self, mode: str | None = None, **settings: Any) -> Count:
        """A whole run of ours: recorded features, gates, all steps of the default settings but for those given."""
        sampling = runs.core("comfy.sampling")
        subject = self.subject
        with torch.inference_mode():
            model = runs.gated(subject.model)
            model.model_options["transformer_options"]["optimized_attention_override"] = _fused
            chosen = mode or sampling.resolve_mode(model, "auto")
            run = runs.attention_run(subject, model, chosen)
            run.record.budget = 1 << 40
            runs.core("comfy.attention_hook").install(model, run, lambda samples: None)
            grid = sampling.PairSampler(runs.settings(**settings), chosen, None, None, run).noise_grid(model)
            space = runs.core("comfy.model_profile").noise_space(model)
            used = 0
            with Living(self.device) as living:
                for step, rows in self._steps(chosen, grid.steps):
                    run.rows, run.step, run.position = rows.value, step, grid.step_position(step)
                    self.evaluate(model, len(rows.value), space.sigma(grid.rhos[step]))
                    used = run.record.used
        return Count(living.most / MIB, living.launches, used / MIB)

    def published(self) -> Count:
        """One step down of the published pattern, a batch of six with explicit matrices: its highest point."""
        with torch.inference_mode(), Living(self.device) as living:
            model = self.subject.model.clone()
            options = model.model_options["transformer_options"]
            options["optimized_attention_override"] = published.explicit_attention(self.subject)
            self.evaluate(model, 6, 1.0, chunks=2)
        return Count(living.most / MIB, living.launches)

    def null_text(self) -> Count:
        """One update of the published null-text embeddings: both sources forth and back through explicit matrices."""
        network = self.subject.model.model.diffusion_model
        with runs.core("comfy.gradients").differentiable(network), Living(self.device) as living:
            model = self.subject.model.clone()
            options = model.model_options["transformer_options"]
            options["optimized_attention_override"] = published.explicit_attention(self.subject)
            shape, dtype = self.subject.prompt[0][0].shape[1:], model.model.get_dtype()
            embedding = torch.empty(2, *shape, dtype=dtype, device=self.device, requires_grad=True)
            torch.autograd.grad(self.evaluate(model, 2, 1.0, embedding=embedding).sum(), embedding)
        return Count(living.most / MIB, living.launches)

    def _rows(self) -> list[Any]:
        mode = runs.core("comfy.sampling").resolve_mode(self.subject.model, "auto")
        return [rows for _, rows in self._steps(mode, self.levels)]

    @staticmethod
    def _steps(mode: str, levels: int) -> list[tuple[int, Any]]:
        rows = runs.core("engines.edited_id.trajectory").Rows
        down = range(levels, 0, -1)
        if mode == "lock-step":
            return [(i, rows.ALL) for i in down]
        return [*((i, rows.SOURCES) for i in range(1, levels + 1)), *((i, rows.TARGET) for i in down)]


def _fused(func: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Any = None, attn_precision: Any = None,
           skip_reshape: bool = False, skip_output_reshape: bool = False, **kwargs: Any) -> Tensor:
    """Fused attention: PyTorch's own, and without contents what it leaves behind, its output."""
    if q.device.type != "meta":
        attention = importlib.import_module("comfy.ldm.modules.attention").attention_pytorch
        return attention(q, k, v, heads, mask, attn_precision, skip_reshape, skip_output_reshape, **kwargs)
    out = torch.empty_like(q)  # laid out as the queries are, so that bringing heads together may copy it
    return out.transpose(1, 2).reshape(q.shape[0], q.shape[2], -1) if skip_reshape and not skip_output_reshape else out


@dataclass(frozen=True)
class Memory:
    """MiB beyond the weights at one size: the plain model, ours, evaluated again instead of recorded, the published
    pattern; `extra`: ours beyond the plain model; `null_text`: an update of the published null-text optimisation
    (0 where it is not written for the model, a transformer); `launches_ratio`: operators that ours launches to the
    plain's. Ratios: of the pattern beyond the weights, of the pattern and of the whole published method with them."""

    name: str
    side: int
    mode: str
    weights: float
    plain: float
    ours: float
    extra: float
    record: float
    lock_step: float
    published: float
    null_text: float
    memory_ratio_published_50: float
    memory_ratio_with_weights: float
    memory_ratio_null_text_with_weights: float
    launches_ratio: float

    @classmethod
    def of(cls, size: Size) -> Memory:
        network = Network.of(size)
        model = network.subject.model
        mode = runs.core("comfy.sampling").resolve_mode(model, "auto")
        weights = sum(p.numel() * p.element_size() for p in model.model.diffusion_model.parameters()) / MIB
        plain, ours, published = network.plain(), network.ours(), network.published()
        # nothing is recorded in lock-step: a few steps, in some of which both gates act, reach the same highest point
        lock_step = ours if mode == "lock-step" else network.ours("lock-step", steps=6)
        null_text = network.null_text().mib if runs.is_unet(model) else 0.0
        return cls(size.name, size.side, mode, weights, plain.mib, ours.mib, ours.mib - plain.mib, ours.record_mib,
                   lock_step.mib, published.mib, null_text, published.mib / ours.mib,
                   (published.mib + weights) / (ours.mib + weights),
                   (max(published.mib, null_text) + weights) / (ours.mib + weights), ours.launches / plain.launches)


