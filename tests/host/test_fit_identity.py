"""Fit Identity in the real host, on a toy of SD 1.5 with its CLIP: the error falls, the file is the host's own."""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from lab import toys
from lab.checkpoints import FILES
from lab.inprocess import Host
from lab.portraits import triple_split
from lab.portraits.small_faces import make_small_face
from lab.toys import TOYS

NAME = "editedid_tests/anna"
PHOTOS = 2


@pytest.fixture(scope="module")
def parts(host: Host) -> SimpleNamespace:
    """A model and its text encoder as the host's loaders make them, a VAE, photos of a person, an analyzer."""
    with torch.inference_mode():
        model, clip = toys.make(TOYS["sd15"]), toys.text_encoder()
        vae = host.node("CheckpointLoaderSimple")().load_checkpoint(FILES["unet"])[2]
        analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320).result[0]
    face = make_small_face(triple_split("tune", 1)[0], 16, photos=PHOTOS, gallery=0)
    return SimpleNamespace(model=model, clip=clip, vae=vae, analyzer=analyzer, face=face,
                           photos=torch.from_numpy(np.stack([shot.image for shot in face.photos])))


@pytest.fixture(scope="module")
def folder(host: Host) -> Iterator[Path]:
    """Where the files of these tests lie."""
    here = Path(importlib.import_module("folder_paths").get_folder_paths("embeddings")[0]) / "editedid_tests"

    def clear() -> None:
        for file in here.glob("*"):
            file.unlink()

    clear()
    yield here
    clear()


@pytest.fixture(scope="module")
def fit(host: Host, parts: SimpleNamespace, folder: Path) -> Callable[..., Any]:
    """The node at a small size; returns its outputs."""
    def run(**changes: Any) -> Any:
        node = host.node("EditedIDFitIdentity")
        values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
        given = dict(references=parts.photos, model=parts.model, clip=parts.clip, vae=parts.vae, name=NAME,
                     analyzer=parts.analyzer, crop_size=64, consent="a drawn person", tokens=2, updates=4, rate=0.5)
        with torch.inference_mode():
            return node.execute(**{**values, **given, **changes}).result

    return run


@pytest.fixture(scope="module")
def whole(fit: Callable[..., Any], folder: Path) -> Any:
    """The outputs of one fit; its file stays."""
    return fit()


@pytest.fixture
def gone(folder: Path) -> Iterator[None]:
    """While a test runs, there is no file."""
    file, aside = folder / "anna.safetensors", folder.parent / "editedid_anna.aside"
    if file.exists():
        file.rename(aside)
    yield
    for one in folder.glob("*"):
        one.unlink()
    if aside.exists():
        aside.rename(file)


def prompt(parts: SimpleNamespace, text: str) -> torch.Tensor:
    with torch.inference_mode():
        return parts.clip.encode_from_tokens(parts.clip.tokenize(text))


def test_the_error_falls_and_the_file_works_in_any_prompt_of_the_host(
        whole: Any, fit: Callable[..., Any], parts: SimpleNamespace, folder: Path) -> None:
    person, called, text = whole
    report = json.loads(text)
    assert report["error_after"] < report["error_before"] and report["photos"] == PHOTOS
    with safe_open(str(folder / "anna.safetensors"), framework="pt") as file:
        told = file.metadata()
        assert list(file.keys()) == ["clip_l"] and file.get_tensor("clip_l").shape == (2, toys.TEXT)
    assert told["editedid.consent"] == "a drawn person" and told["editedid.tokens"] == "2"
    assert len(told["editedid.model"]) == 32 and told["editedid.licence"] == "private"
    assert called == f"embedding:{NAME}"
    written = prompt(parts, f"a photo of {called}")
    assert torch.allclose(written, person.context[0][0], atol=1e-6)  # the host reads what was fitted
    assert not torch.allclose(written, prompt(parts, "a photo of person person"), atol=1e-4)
    assert [one.name for one in folder.iterdir()] == ["anna.safetensors"]
    again = fit()  # nothing is fitted twice
    assert torch.equal(again[0].vectors["clip_l"], person.vectors["clip_l"])
    assert "taken from the file" in again[2]
    with pytest.raises(ValueError, match="name: there is an embedding .*anna already"):
        fit(references=torch.flip(parts.photos, (2,)))


def test_a_file_is_taken_for_the_same_fit_alone(
        whole: Any, fit: Callable[..., Any], host: Host, parts: SimpleNamespace, gone: None, folder: Path) -> None:
    """Another text encoder, VAE or LoRA is another fit; other words of the user are kept without one."""
    fit(updates=1)
    with torch.inference_mode():
        vae = host.node("CheckpointLoaderSimple")().load_checkpoint(FILES["unet"])[2]
        weight = next(iter(vae.first_stage_model.parameters()))
        weight.copy_(1.1 * weight)
        clip, model = toys.text_encoder(seed=1), parts.model.clone()
        key = toys.weight_key(model)
        model.add_patches({key: ("diff", (torch.full_like(model.model.state_dict()[key], 0.1),))}, 1.0)
        weaker = parts.model.clone()
        weaker.add_patches({key: ("diff", (torch.full_like(model.model.state_dict()[key], 0.1),))}, 0.5)
    again = fit(updates=1, licence="CC0")
    assert "taken from the file" in again[2]
    with safe_open(str(folder / "anna.safetensors"), framework="pt") as file:
        assert file.metadata()["editedid.licence"] == "CC0"
    for other in ({"vae": vae}, {"clip": clip}, {"model": model}, {"model": weaker}):
        assert "taken from the file" not in fit(updates=1, **other)[2], other.keys()



def test_an_interrupted_fit_goes_on_to_the_same_end(whole: Any, fit: Callable[..., Any], folder: Path, gone: None,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    management = importlib.import_module("comfy.model_management")
    base = importlib.import_module("comfy.model_base")
    forward, calls = base.BaseModel._apply_model, [0]

    def counted(self: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        calls[0] += 1
        if calls[0] == 16:  # in the middle of an update
            management.interrupt_current_processing()
        return forward(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(base.BaseModel, "_apply_model", counted)
        with pytest.raises(management.InterruptProcessingException):
            fit()
    management.interrupt_current_processing(False)
    assert [one.name for one in folder.iterdir()] == ["anna.fitting"]
    done = fit()
    assert "Went on after update 1" in done[2]
    assert torch.equal(done[0].vectors["clip_l"], whole[0].vectors["clip_l"])
    assert json.loads(done[2])["errors"] == json.loads(whole[2])["errors"]
    assert [one.name for one in folder.iterdir()] == ["anna.safetensors"]


def test_a_person_tells_super_resolve_face_whom_to_draw(host: Host, whole: Any, parts: SimpleNamespace) -> None:
    node = host.node("EditedIDSuperResolveFace")
    values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
    given = dict(image=torch.from_numpy(parts.face.small)[None], references=parts.photos[:1], analyzer=parts.analyzer,
                 model=parts.model, vae=parts.vae, crop_size=64, guard=False, scale="16")
    with torch.inference_mode():
        done = [node.execute(**{**values, **given, **more}) for more in (
            {}, {"person": whole[0]}, {"clip": parts.clip, "prompt": "a face"},
            {"person": whole[0], "clip": parts.clip, "prompt": "a face"})]
    pictures = [one.result[0] for one in done]
    assert not any(torch.equal(one, other) for one, other in itertools.combinations(pictures, 2))
    assert ["No text encoder" in one.result[2] for one in done] == [True, False, False, False]
    with pytest.raises(ValueError, match="prompt: words need a text encoder"):
        node.execute(**{**values, **given, "prompt": "a face"})


def test_what_super_resolve_face_leaves_out_stands_on_the_node_and_in_the_report(
        host: Host, parts: SimpleNamespace) -> None:
    node = host.node("EditedIDSuperResolveFace")
    values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
    prompt = [[torch.zeros(1, 7, toys.TEXT), {"concat_mask": torch.zeros(1, 1, 4, 4)}]]
    with torch.inference_mode():
        done = node.execute(**{**values, **dict(
            image=torch.from_numpy(parts.face.small)[None], references=parts.photos[:1], analyzer=parts.analyzer,
            model=parts.model, vae=parts.vae, crop_size=64, guard=False, scale="16", positive=prompt)})
    sentence = "An inpainting mask of the whole picture cannot be cut to a face and is left out."
    assert sentence in json.loads(done.result[2])["notes"] and sentence in done.ui["editedid_cautions"]
    assert done.ui["editedid_lines"][0].startswith("Face 1: ")


def test_beside_a_prompt_the_persons_tokens_stand_behind_its_own(host: Host, whole: Any) -> None:
    fit_identity = importlib.import_module("editedid_core.comfy.fit_identity")
    person, said = whole[0], [[torch.zeros(1, 7, toys.TEXT), {"area": 1}]]
    ((tokens, options),) = fit_identity.with_identity(said, person)
    assert torch.equal(tokens[:, 7:], person.context[0][0]) and not tokens[:, :7].any() and options == {"area": 1}
    assert fit_identity.with_identity(None, person) is person.context and fit_identity.with_identity(said, None) is said
    with pytest.raises(ValueError, match="person: .* was fitted with a text encoder of 16 numbers"):
        fit_identity.with_identity([[torch.zeros(1, 7, 8), {}]], person)


def test_a_model_that_ignores_its_text_is_refused_in_a_sentence(fit: Callable[..., Any], folder: Path,
                                                                gone: None) -> None:
    with torch.inference_mode():
        deaf = toys.make(TOYS["sd15"])
        for key, weight in deaf.model.diffusion_model.named_parameters():
            if "attn2.to_v" in key:
                weight.zero_()
    with pytest.raises(ValueError, match="model: it ignores its text"):
        fit(model=deaf)
    assert not (folder / "anna.safetensors").exists()


def test_a_gradient_that_is_no_number_has_its_own_sentence(fit: Callable[..., Any], gone: None,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    sampling = importlib.import_module("comfy.samplers")
    answer = sampling.calc_cond_batch

    def broken(*args: Any) -> Any:
        return [one * torch.nan if torch.is_grad_enabled() and one.requires_grad else one for one in answer(*args)]

    monkeypatch.setattr(sampling, "calc_cond_batch", broken)
    with pytest.raises(RuntimeError, match="gradient is NaN"):
        fit()


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"consent": " "}, "consent is empty"), ({"name": "../anna"}, "name is '../anna'"),
    ({"name": "anna.pt"}, "name is 'anna.pt'"), ({"prompt": "a photo"}, "prompt: write {name} in it once"),
    ({"start": ""}, "start: give a word"),
])
def test_what_cannot_be_fitted_is_named(fit: Callable[..., Any], changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        fit(**changes)


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_fitted(fit: Callable[..., Any],
                                                                           folder: Path) -> None:
    (folder / "taken").write_text("a file stands in the way")
    with pytest.raises(ValueError, match="name: nothing can be written at editedid_tests/taken/anna"):
        fit(name="editedid_tests/taken/anna", references=torch.zeros(1, 8, 8, 3))
    (folder / "taken").unlink()
    blocker = folder / "taken.safetensors"
    blocker.mkdir()
    with pytest.raises(ValueError, match="name: nothing can be written at editedid_tests/taken .*[Ii]s a directory"):
        fit(name="editedid_tests/taken", references=torch.zeros(1, 8, 8, 3))
    blocker.rmdir()


def test_a_fit_that_cannot_be_stored_is_handed_on(host: Host, whole: Any, fit: Callable[..., Any], gone: None,
                                                  folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the library that writes the file raises an error of its own kind."""
    node = host.node("EditedIDFitIdentity").__module__
    files = sys.modules[node.replace(".nodes.fit", ".editedid_core.comfy.embedding_file")]

    def full(*_: Any) -> None:
        raise files.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(files, "save_file", full)
    person, _, text = fit(updates=1)
    assert person.vectors["clip_l"].shape == (2, toys.TEXT) and not list(folder.iterdir())
    assert "could not be saved" in text and "No space left" in text


def test_without_a_list_of_folders_the_host_s_own_takes_the_file(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    node = host.node("EditedIDFitIdentity").__module__
    files = sys.modules[node.replace(".nodes.fit", ".editedid_core.comfy.embedding_file")]
    folder_paths = importlib.import_module("folder_paths")
    for lists in ({}, {"embeddings": ([], set())}, {"embeddings": (None, set())}):
        monkeypatch.setattr(folder_paths, "folder_names_and_paths", lists)
        file = files.EmbeddingFile.of("editedid_tests/one")
        assert file.path == Path(folder_paths.models_dir) / "embeddings" / "editedid_tests" / "one.safetensors"
