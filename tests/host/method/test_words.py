"""Words of a prompt in the paper's run: found with the host's tokenizer, and acting where they should."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from lab.inprocess import Host

from .test_paper import state


@pytest.fixture(scope="module")
def run(paper_run: Callable[..., Any]) -> Callable[..., Any]:
    return paper_run


def test_the_official_code_takes_words_from_the_original_only(words: Any, cross_maps: Any) -> None:
    text = "a face with glasses"
    plain, element = (cross_maps(words(text, "", w), word_sources="original") for w in ("", "glasses"))
    assert torch.equal(plain, element)
    face = cross_maps(words(text, "face", "glasses"), word_sources="original")
    assert not torch.allclose(face, plain, atol=1e-5)
    assert torch.equal(face, cross_maps(words(text, "face")))


@pytest.fixture(scope="module")
def clip(host: Host) -> Any:
    """The host's SD 1.5 tokenizer over a text encoder of one narrow layer with random weights."""
    sd, sd1 = importlib.import_module("comfy.sd"), importlib.import_module("comfy.sd1_clip")

    class Target:
        params: dict[str, Any] = {}
        clip, tokenizer = sd1.SD1ClipModel, sd1.SD1Tokenizer

    shape = dict(hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=1)
    made = sd.CLIP(Target, model_options={"clip_l_model_config": shape, "dtype": torch.float32})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in made.cond_stage_model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) if p.ndim > 1 else torch.ones(p.shape))
    return made


@pytest.fixture(scope="module")
def words(host: Host, clip: Any) -> Callable[..., Any]:
    node = host.node("EditedIDPromptWords")

    def encode(text: str, face: str = "", element: str = "", encoder: Any = clip) -> Any:
        with torch.inference_mode():
            return node.execute(encoder, text, face, element)[0]

    return encode


@pytest.mark.parametrize(("text", "face", "element", "expected"), [
    ("a photo of a face with glasses", "face", "glasses", ((5,), (7,))),
    ("Face, (glasses:1.3) and a second FACE", "face", "glasses", ((1, 7), (3,))),
    ("a straw hat over the faces", "", "straw hat, over", ((), (2, 3, 4))),
    (" ".join(["very"] * 80) + " old face", "face", "", ((77 + 7,), ())),
])
def test_words_are_found_with_the_hosts_tokenizer(words: Any, text: str, face: str, element: str,
                                                  expected: tuple) -> None:
    tensor, extra = words(text, face, element)[0]
    found = extra["editedid_words"]
    assert (found.face, found.element, found.length) == (*expected, tensor.shape[1])


def test_a_word_of_several_tokens_counts_whole(words: Any, clip: Any) -> None:
    found = words("portrait wearing a monocle-pincenez today", "", "monocle-pincenez")[0][1]["editedid_words"]
    assert len(found.element) > 2 and found.element == tuple(range(found.element[0], found.element[-1] + 1))


def test_words_that_cannot_be_found_are_named(words: Any) -> None:
    with pytest.raises(ValueError, match="element_words: 'hat' is not in the prompt 'a face'"):
        words("a face", "face", "hat")
    with pytest.raises(ValueError, match="face_words: 'fac'"):  # a part of a word is none
        words("a face", "fac")
    with pytest.raises(ValueError, match="clip is empty.*no text encoder.*Load CLIP"):
        words("a face", "face", "", None)


def test_the_prompt_is_the_hosts_own(host: Host, words: Any, clip: Any) -> None:
    with torch.inference_mode():
        stock = host.node("CLIPTextEncode")().encode(clip, "a photo of a face")[0]
    assert torch.equal(words("a photo of a face", "face")[0][0], stock[0][0])


@pytest.fixture
def cross_maps(frozen: Any, run: Any) -> Iterator[Callable[..., list[torch.Tensor]]]:
    yield lambda positive, **more: run(frozen("sd15"), "sd15", positive, null_text=0, **more).latent


def test_marked_words_act_in_the_papers_run_only(words: Any, cross_maps: Any) -> None:
    text = "a photo of a face with glasses"
    plain = cross_maps(words(text))
    face, both = cross_maps(words(text, "face")), cross_maps(words(text, "face", "glasses"))
    assert not torch.allclose(face, plain, atol=1e-5)
    assert not torch.allclose(both, face, atol=1e-5)
    replay = [cross_maps(words(text, w), mode="replay", cfg=1.0) for w in ("", "face")]
    assert torch.equal(*replay)


def test_words_and_gates_and_null_text_work_together_and_leave_no_trace(
        host: Host, words: Any, frozen: Any, run: Any) -> None:
    model = frozen("sd15")
    before = state(model)
    prompt = words("a face with glasses", "face", "glasses")
    gated = host.node("EditedIDEntanglement").execute(
        model, 1.0, 0.0, "original", 0.0, 0.8, 0.0, 1.0, "auto", "auto", False, 0.0)[0]
    results = [run(m, "sd15", prompt, null_text=2).latent for m in (gated, model, gated)]
    assert torch.equal(results[0], results[2]) and not torch.equal(results[0], results[1])
    assert state(model) == before


def test_where_another_pack_replaces_cross_attention_words_do_nothing(words: Any, frozen: Any, run: Any) -> None:
    model = frozen("sd15")
    for block in ("input", "middle", "output"):
        for number in range(6):
            model.set_model_attn2_replace(lambda q, k, v, extra: torch.zeros_like(q), block, number)
    text = "a face with glasses"
    results = [run(model, "sd15", words(text, w), null_text=0).latent for w in ("", "face")]
    assert torch.equal(*results)


def test_words_on_a_transformer_are_refused(words: Any, frozen: Any, run: Any) -> None:
    with pytest.raises(ValueError, match="positive: marked words act in a UNet's cross-attention"):
        run(frozen("sd3"), "sd3", words("a face", "face"))
