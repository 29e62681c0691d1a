"""What a link can bring: every number, switch, text and socket of every node is checked before the node works."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lab.inprocess import Host

SOCKETS = {"IMAGE": torch.zeros(1, 4, 4, 3), "MASK": torch.zeros(1, 4, 4),
           "LATENT": {"samples": torch.zeros(1, 4, 4, 4)}}
ANY = SimpleNamespace(get_model_object=None, tokenize=None, encode=None, find=None, in_frame=None, pairs=None,
                      crops=None, context=None)
"""What passes for any other socket."""


@pytest.fixture(scope="module")
def nodes(host: Host) -> list[Any]:
    return [host.node(name) for name in host.node_ids() if name.startswith("EditedID")]


def given(node: Any) -> dict[str, Any]:
    """Every required input, as it could be."""
    return {i.id: SOCKETS.get(i.get_io_type(), ANY) if getattr(i, "default", None) is None else i.default
            for i in node.define_schema().inputs if not i.optional}


def refused(node: Any, name: str, value: object) -> str:
    with pytest.raises(ValueError, match=f"^{name} is ") as told:
        node.execute(**{**given(node), name: value})
        pytest.fail(f"{node.__name__} took {value!r} for {name}")
    assert "\n" not in str(told.value) and len(str(told.value)) < 300
    return str(told.value)


def test_every_number_is_in_the_range_of_its_widget(nodes: list[Any]) -> None:
    tried = 0
    for node in nodes:
        for one in node.define_schema().inputs:
            if one.get_io_type() in ("INT", "FLOAT"):
                for value in (None, "five", math.nan, math.inf, one.min - 1, one.max + 1, [1], torch.ones(2)):
                    sentence = refused(node, one.id, value)
                    assert f"from {one.min:g} to {one.max:g}" in sentence
                tried += 1
    assert tried > 50


def test_a_whole_number_may_come_as_a_float_and_no_other(host: Host, nodes: list[Any]) -> None:
    for node in nodes:
        for one in node.define_schema().inputs:
            if one.get_io_type() == "INT":
                refused(node, one.id, one.min + 0.5)
    loader = host.node("EditedIDLoadFaceAnalyzer")
    assert loader.execute("insightface", "lab", 320.0).result[0] is loader.execute("insightface", "lab", 320).result[0]


def test_every_switch_text_and_socket_is_one(nodes: list[Any]) -> None:
    for node in nodes:
        for one in node.define_schema().inputs:
            if one.get_io_type() in ("BOOLEAN", "STRING"):
                for value in (None, 0.5, [True], torch.ones(2)):
                    refused(node, one.id, value)
            elif one.get_io_type() in SOCKETS:
                if one.get_io_type() != "LATENT":
                    refused(node, one.id, (SOCKETS[one.get_io_type()] * 255).byte())
                if one.get_io_type() == "IMAGE":
                    assert "values up to 120" in refused(node, one.id, SOCKETS["IMAGE"] + 120)
                refused(node, one.id, {} if one.optional else None)
                refused(node, one.id, "a word")
            elif not hasattr(one, "default") and not one.optional:
                refused(node, one.id, None)
            if one.get_io_type() in ("MODEL", "CLIP", "VAE") or one.get_io_type().startswith("EDITEDID_"):
                for value in ("a word", 3, object()):
                    assert ": connect " in refused(node, one.id, value)
            if one.get_io_type() == "VAE":  # what the host's loader gives for a checkpoint without one
                assert "Load VAE" in refused(node, one.id, SimpleNamespace(first_stage_model=None))
