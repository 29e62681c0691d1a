"""Layer Probe on the lab's model in the real host, its file in ID Entanglement, and the changes of the benchmarks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from lab.bench.conditions import Condition, make
from lab.bench.diffusion import DiffusionMethods, UnavailableError
from lab.bench.probe import crops
from lab.bench.quality import MODELS
from lab.bench.switches import Change, values_for
from lab.bench.variants import groups
from lab.inprocess import Host

SEED = 10_000_003
FEW = {"steps": 2, "strength": 0.5}


@pytest.fixture(scope="module")
def methods(host: Host) -> DiffusionMethods:
    return DiffusionMethods("unet", MODELS, host)


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    triple = make(SEED, Condition())
    return triple.original.image, triple.drifted.image


@pytest.fixture(scope="module")
def probed(host: Host, methods: DiffusionMethods) -> Any:
    """Layer Probe's outputs, and how it was called."""
    original, edited, face, element = next(crops(methods, [SEED]))
    node = host.node("EditedIDLayerProbe")
    values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
    with torch.inference_mode():
        latents = [{"samples": methods.vae.encode(p)} for p in (original, edited)]
        call = {**values, **FEW, "model": methods.model, "vae": methods.vae, "original_latent": latents[0],
                "edited_latent": latents[1], "face_mask": face, "element_mask": element, "analyzer": methods.analyzer,
                "gate": "detail", "filename_prefix": "editedid_test/blocks"}
        return node, call, node.execute(**call).result


def test_the_probe_saves_a_choice_that_id_entanglement_takes(host: Host, methods: DiffusionMethods,
                                                             probed: Any) -> None:
    _, _, (structure, detail, file, report) = probed
    assert structure == "auto"  # not probed: as it was
    assert f"detail_blocks: {detail}" in report
    entangle = host.node("EditedIDEntanglement")
    values = {i.id: i.default for i in entangle.define_schema().inputs if getattr(i, "default", None) is not None}
    model = entangle.execute(model=methods.model, **{**values, "detail_blocks": file}).result[0]
    sampling = methods.pack("editedid_core.comfy.sampling")
    assert model.model_options["transformer_options"][sampling.ENTANGLE_KEY].detail_blocks == detail
    saved = json.loads(methods.saved_file(file).read_text(encoding="utf-8"))
    assert saved["faces"] == 1 and len(saved["effects"]) == 4
    # its default freedom lets the gate do something
    assert any(effect["identity"] != 0 for effect in saved["effects"])


def test_the_node_ends_with_a_picture_and_not_with_a_latent(probed: Any, methods: DiffusionMethods,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    import comfy.utils

    shown: list[Any] = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda *given, **more: shown.append(given[2]))
    node, call, _ = probed
    node.execute(**{**call, "together": 64})
    kind, picture, _ = shown[-1]
    assert kind == "PNG" and picture.size == (methods.crop_size,) * 2


def test_freedom_decides_what_the_probe_sees(probed: Any, methods: DiffusionMethods) -> None:
    node, call, (_, _, file, _) = probed
    held = node.execute(**{**call, "freedom": 0.0}).result[2]

    def found(name: str) -> list[float]:
        return [effect["identity"] for effect in json.loads(methods.saved_file(name).read_text())["effects"]]

    assert max(map(abs, found(held))) < max(map(abs, found(file)))


@pytest.fixture
def secret(host: Host) -> Iterator[Path]:
    """A file beside ComfyUI's folders, where no name may lead."""
    import folder_paths

    file = Path(folder_paths.get_input_directory()).parent / "secret.json"
    file.write_text("{}", encoding="utf-8")
    yield file
    file.unlink()


@pytest.mark.parametrize("name", ["../secret.json", "editedid/../../secret.json", "..\\secret.json", "ABSOLUTE",
                                  "C:\\secret.json", "nowhere.json"])
def test_a_file_name_leads_nowhere_else(host: Host, methods: DiffusionMethods, secret: Path, name: str) -> None:
    entangle = host.node("EditedIDEntanglement")
    values = {i.id: i.default for i in entangle.define_schema().inputs if getattr(i, "default", None) is not None}
    given = str(secret) if name == "ABSOLUTE" else name
    with pytest.raises(ValueError, match="structure_blocks: (there is no file|.* leads out)"):
        entangle.execute(model=methods.model, **{**values, "structure_blocks": given})


def test_a_gate_that_is_off_cannot_be_probed(host: Host, methods: DiffusionMethods, probed: Any) -> None:
    node, call, _ = probed
    entangle = host.node("EditedIDEntanglement")
    values = {i.id: i.default for i in entangle.define_schema().inputs if getattr(i, "default", None) is not None}
    off = entangle.execute(model=methods.model, **{**values, "detail": 0.0}).result[0]
    with pytest.raises(ValueError, match="gate: what was chosen is off"):
        node.execute(**{**call, "model": off})


def test_crops_without_a_face_are_refused_by_name(probed: Any) -> None:
    node, call, _ = probed
    blank = {"samples": torch.zeros_like(call["edited_latent"]["samples"])}
    with torch.inference_mode(), pytest.raises(ValueError, match="edited_latent: .* finds no pair of faces"):
        node.execute(**{**call, "edited_latent": blank})


def test_every_change_of_the_ablation_is_a_configuration_of_this_pack(methods: DiffusionMethods) -> None:
    for group in groups("unet"):
        for variant in group.variants:
            methods.config(values_for(variant.change, methods, "unet"))


def test_words_for_blocks_are_lists_of_the_model(methods: DiffusionMethods) -> None:
    parts = methods.pack("editedid_core.comfy.model_profile").attention_blocks(methods.model)
    halves = [values_for(Change({"entangle.detail_blocks": f"{half} half"}), methods, "unet")["entangle.detail_blocks"]
              for half in ("early", "late")]
    everything = values_for(Change({"entangle.detail_blocks": "all"}), methods, "unet")["entangle.detail_blocks"]
    assert ", ".join(halves) == everything
    assert len(everything.split(", ")) == sum(len(numbers) for numbers in parts.values())


CHOICES: dict[str, dict[str, Any]] = {
    "linear mixing": {"sampling.mixing.spherical": False},
    "naive inversion": {"sampling.inversion": "naive"},
    "fixed-point inversion": {"sampling.inversion": "fixed point"},
    "free surroundings": {"sampling.hold_surroundings": False},
    "recompute": {"sampling.recompute_sources": True},
    "hard masks": {"entangle.masks": "hard"},
    "bilinear masks": {"entangle.masks": "bilinear hard"},
    "positive half": {"entangle.gated_half": "positive"},
    "negative half": {"entangle.gated_half": "negative"},
    "no warp": {"crop.alignment": "none"},
    "own frames": {"crop.alignment": "own frames"},
    "features in part": {"crop.whole_features": False},
    "own sharpness": {"crop.match_sharpness": False},
    "no diffusion": {"engine": "composite"},
    "half precision": {},
}
"""What no node offers and the benchmarks switch."""


Work = tuple[np.ndarray, int]


@pytest.fixture(scope="module")
def work(host: Host, pictures: tuple[np.ndarray, np.ndarray]) -> Callable[..., Work]:
    """The picture of a short run and the evaluations that it took; of a plain run, those of the first one."""
    methods, plain = DiffusionMethods("dit", MODELS, host), dict[tuple[bool, float], Work]()

    def run(values: dict[str, Any], blurred: bool, cfg: float, half: bool = False) -> Work:
        if not values and not half and (blurred, cfg) in plain:
            return plain[blurred, cfg]
        photo = gaussian_filter(pictures[0], (1.5, 1.5, 0)) if blurred else pictures[0]
        methods.evaluations = 0
        short = {"sampling.steps": 3, "guard.enabled": False, "sampling.cfg": cfg, "crop.size": 64}
        picture, report = methods.restore([photo], pictures[1], {**short, **values},
                                          model=methods.model_in_half if half else None)
        assert methods.evaluations == report["network_evaluations"]
        done = picture, methods.evaluations
        return done if values or half else plain.setdefault((blurred, cfg), done)

    return run


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_that_only_the_benchmarks_switch_changes_the_picture_or_the_work(
        work: Callable[..., Work], name: str) -> None:
    # a sharp photo keeps its own sharpness in any case
    how = {"blurred": name == "own sharpness", "cfg": 3.0 if name.endswith("half") else 1.0}
    # where the edit has the person's shape the photo is bent to it, however it would be aligned
    base = {"shape.face_shape": 0.0} if "crop.alignment" in CHOICES[name] else {}
    plain, other = work(base, **how), work({**base, **CHOICES[name]}, half=name == "half precision", **how)
    assert plain[1] != other[1] or not np.array_equal(plain[0], other[0])


def test_a_change_to_what_is_shipped_anyway_is_known(methods: DiffusionMethods) -> None:
    shipped = methods.pack("editedid_core.config").RestoreConfig()
    assert Change().is_none
    assert Change({"sampling.steps": shipped.sampling.steps, "entangle.detail": shipped.entangle.detail}).is_none
    assert Change({"sampling.strength": 0.5, "entangle.detail": 1.0}).is_none  # what the lab's models want
    assert not Change({"sampling.strength": 0.6}).is_none
    assert not Change({"sampling.steps": shipped.sampling.steps + 1}).is_none
    assert not Change({"sampling.mixing.init_weight": shipped.sampling.mixing.init_weight + 0.1}).is_none
    assert not Change(half=True).is_none


@pytest.mark.parametrize("path", ["no_such", "entangle.no_such"])
def test_what_the_pack_no_longer_has_is_told(methods: DiffusionMethods, pictures: tuple[np.ndarray, np.ndarray],
                                             path: str) -> None:
    with pytest.raises(UnavailableError, match="no_such"):
        methods.restore([pictures[0]], pictures[1], {path: 1})
    assert not Change({path: 1}).is_none
