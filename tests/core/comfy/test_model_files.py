"""Which files a model came from, read off the graph as packs' loaders write it."""

from __future__ import annotations

from typing import Any

import pytest

from editedid_core.comfy.model_files import ModelFiles, files_before

GGUF = {"inputs": {"unet_name": "flux1-kontext-dev-Q4_K_S.gguf"}}
CHECKPOINT = {"inputs": {"ckpt_name": "sub/juggernautXL.safetensors", "vae_name": "lightning.safetensors"}}


def graph(**nodes: Any) -> dict[str, Any]:
    return {"9": {"inputs": {"model": ["1", 0], "clip": ["8", 0], "edited": ["7", 0]}},
            "8": {"inputs": {"clip_name": "t5_turbo.safetensors"}},
            **{name[1:]: node for name, node in nodes.items()}}


def lora(**given: Any) -> dict[str, Any]:
    return {"inputs": {"model": ["2", 0], "lora_name": "sdxl_lightning_4step_lora.safetensors", "strength_model": 1.0,
                       **given}}


@pytest.mark.parametrize(("nodes", "model", "loras"), [
    ({"n1": GGUF}, ["flux1-kontext-dev-Q4_K_S.gguf"], []),
    ({"n1": lora(), "n2": CHECKPOINT}, ["sub/juggernautXL.safetensors"], ["sdxl_lightning_4step_lora.safetensors"]),
    ({"n1": lora(strength_model=0), "n2": CHECKPOINT}, ["sub/juggernautXL.safetensors"], []),
    ({"n1": {"inputs": {"model": ["2", 0], "shift": 3.0, "model_type": "turbo"}}, "n2": GGUF},
     ["flux1-kontext-dev-Q4_K_S.gguf"], []),
    ({"n1": {"inputs": {"model": ["2", 0], "lora_1": {"on": True, "lora": "a-turbo.safetensors", "strength": 1.0},
                        "lora_2": {"on": False, "lora": "b-lcm.safetensors", "strength": 1.0},
                        "lora_3": {"on": True, "lora": "c-lcm.safetensors", "strength": 0}}}, "n2": GGUF},
     ["flux1-kontext-dev-Q4_K_S.gguf"], ["a-turbo.safetensors"]),
    ({"n1": {"inputs": {"pipe": ["2", 0]}}, "n2": {"inputs": {"model": ["3", 0]}}, "n3": GGUF},
     ["flux1-kontext-dev-Q4_K_S.gguf"], []),
    ({"n1": {"inputs": {"model1": ["2", 0], "model2": ["1", 0]}}, "n2": {"inputs": {"model_path": "svdq-flux.1-dev"}}},
     ["svdq-flux.1-dev"], []),
])
def test_loaders_and_loras_before_a_node_are_read(nodes: dict[str, Any], model: list[str], loras: list[str]) -> None:
    assert files_before(graph(**nodes), "9") == ModelFiles(tuple(model), tuple(loras))


@pytest.mark.parametrize("prompt", [None, {}, {"9": {}}, {"9": {"inputs": {"model": ["1", 0]}}},
                                    {"9": {"inputs": None}}])
def test_a_graph_that_says_nothing(prompt: Any) -> None:
    assert not files_before(prompt, "9") and not files_before(prompt, None)
