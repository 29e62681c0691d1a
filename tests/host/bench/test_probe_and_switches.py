"""Layer Probe on the lab's model in the real host, its file in ID Entanglement, and the ablation's changes."""

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
from lab.bench.diffusion import DiffusionMethods
from lab.bench.probe import crops
from lab.bench.quality import MODELS
from lab.bench.swaps import SWAPS, UnavailableError
from lab.bench.switches import Change, Defaults, Pack, applied, changed, defaults, is_default
from lab.bench.variants import groups
from lab.inprocess import Host

SEED = 10_000_003
FEW = {"steps": 2, "strength": 0.5}


@pytest.fixture(scope="module")
def pack(host: Host) -> Pack:
    return Pack(DiffusionMethods("unet", MODELS, host))


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    triple = make(SEED, Condition())
    return triple.original.image, triple.drifted.image


@pytest.fixture(scope="module")
def known(pack: Pack, pictures: tuple[np.ndarray, np.ndarray]) -> Defaults:
    return defaults(pack, lambda: pack.methods.restore([pictures[0]], pictures[1], {}))


@pytest.fixture(scope="module")
def probed(host: Host, pack: Pack) -> Any:
    """Layer Probe's outputs, and how it was called."""
    methods = pack.methods
    original, edited, face, element = next(crops(methods, [SEED]))
    node = host.node("EditedIDLayerProbe")
    values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
    with torch.inference_mode():
        latents = [{"samples": methods.vae.encode(p)} for p in (original, edited)]
        call = {**values, **FEW, "model": methods.model, "vae": methods.vae, "original_latent": latents[0],
                "edited_latent": latents[1], "face_mask": face, "element_mask": element, "analyzer": methods.analyzer,
                "gate": "detail", "filename_prefix": "editedid_test/blocks"}
        return node, call, node.execute(**call).result


def test_the_probe_saves_a_choice_that_id_entanglement_takes(host: Host, pack: Pack, probed: Any) -> None:
    _, _, (structure, detail, file, report) = probed
    assert structure == "auto"  # not probed: as it was
    assert f"detail_blocks: {detail}" in report
    entangle = host.node("EditedIDEntanglement")
    values = {i.id: i.default for i in entangle.define_schema().inputs if getattr(i, "default", None) is not None}
    model = entangle.execute(model=pack.methods.model, **{**values, "detail_blocks": file}).result[0]
    sampling = pack.core("comfy.sampling")
    assert model.model_options["transformer_options"][sampling.ENTANGLE_KEY].detail_blocks == detail
    saved = json.loads(pack.methods.saved_file(file).read_text(encoding="utf-8"))
    assert saved["faces"] == 1 and len(saved["effects"]) == 4
    # its default freedom lets the gate do something
    assert any(effect["identity"] != 0 for effect in saved["effects"])


def test_the_node_ends_with_a_picture_and_not_with_a_latent(probed: Any, pack: Pack,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    import comfy.utils

    shown: list[Any] = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda *given, **more: shown.append(given[2]))
    node, call, _ = probed
    node.execute(**{**call, "together": 64})
    kind, picture, _ = shown[-1]
    assert kind == "PNG" and picture.size == (pack.methods.crop_size,) * 2


def test_freedom_decides_what_the_probe_sees(probed: Any, pack: Pack) -> None:
    node, call, (_, _, file, _) = probed
    held = node.execute(**{**call, "freedom": 0.0}).result[2]

    def found(name: str) -> list[float]:
        return [effect["identity"] for effect in json.loads(pack.methods.saved_file(name).read_text())["effects"]]

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
def test_a_file_name_leads_nowhere_else(host: Host, pack: Pack, secret: Path, name: str) -> None:
    entangle = host.node("EditedIDEntanglement")
    values = {i.id: i.default for i in entangle.define_schema().inputs if getattr(i, "default", None) is not None}
    given = str(secret) if name == "ABSOLUTE" else name
    with pytest.raises(ValueError, match="structure_blocks: (there is no file|.* leads out)"):
        entangle.execute(model=pack.methods.model, **{**values, "structure_blocks": given})


def test_a_gate_that_is_off_cannot_be_probed(host: Host, pack: Pack, probed: Any) -> None:
    node, call, _ = probed
    entangle = host.node("EditedIDEntanglement")
    values = {i.id: i.default for i in entangle.define_schema().inputs if getattr(i, "default", None) is not None}
    off = entangle.execute(model=pack.methods.model, **{**values, "detail": 0.0}).result[0]
    with pytest.raises(ValueError, match="gate: what was chosen is off"):
        node.execute(**{**call, "model": off})


def test_crops_without_a_face_are_refused_by_name(probed: Any) -> None:
    node, call, _ = probed
    blank = {"samples": torch.zeros_like(call["edited_latent"]["samples"])}
    with torch.inference_mode(), pytest.raises(ValueError, match="edited_latent: .* finds no pair of faces"):
        node.execute(**{**call, "edited_latent": blank})


@pytest.mark.parametrize("family", ["unet", "dit"])
def test_everything_that_the_ablation_switches_is_there(pack: Pack, known: Defaults, family: str) -> None:
    for group in groups(family):
        for variant in group.variants:
            change = variant.change
            with applied(change, pack, family):
                pass
            changed(known.settings, change.settings)
            changed(known.settings.mixing, change.mixing)
            changed(known.entangle, change.entangle)
            changed(known.disentangle, change.disentangle)
            changed(known.options, change.options)


@pytest.fixture(scope="module")
def run_few(pack: Pack, pictures: tuple[np.ndarray, np.ndarray]) -> Callable[[Change, float], tuple[np.ndarray, int]]:
    """A short run at a guidance with a change: the picture and its sample-evaluations; without a change run once."""
    plain: dict[float, tuple[np.ndarray, int]] = {}

    def run(change: Change, cfg: float, photo: np.ndarray = pictures[0]) -> tuple[np.ndarray, int]:
        if change == Change() and cfg in plain and photo is pictures[0]:
            return plain[cfg]
        pack.methods.evaluations = 0
        with applied(change, pack, "unet"):
            short = {"steps": 3, "guard": False, "cfg": cfg, **change.inputs}
            picture, _ = pack.methods.restore([photo], pictures[1], short)
        found = picture, pack.methods.evaluations
        if change == Change() and photo is pictures[0]:
            plain[cfg] = found
        return found

    return run


@pytest.mark.parametrize("name", sorted(SWAPS))
def test_every_stand_in_changes_the_picture_or_the_work_and_leaves_nothing_behind(
        pack: Pack, pictures: tuple[np.ndarray, np.ndarray], run_few: Callable[..., tuple[np.ndarray, int]],
        name: str) -> None:
    cfg = 3.0 if "half" in name else 1.0
    replaced = [(holder, attribute, getattr(holder, attribute)) for holder, attribute, _ in SWAPS[name](pack.core)]
    # a face in the person's shape is laid over by its dense landmarks, whatever the five points say
    inputs = {"face_shape": 0.0} if name in ("no warp", "own frames") else {}
    # a sharp photo keeps its own sharpness in any case
    photo = gaussian_filter(pictures[0], (1.5, 1.5, 0)) if name == "own sharpness" else pictures[0]
    before, switched = run_few(Change(inputs), cfg, photo), run_few(Change(inputs, swaps=(name,)), cfg, photo)
    assert switched[1] != before[1] or not np.array_equal(switched[0], before[0])
    assert all(getattr(holder, attribute) is value for holder, attribute, value in replaced)


def test_a_change_to_what_is_the_default_anyway_is_known(known: Defaults) -> None:
    assert is_default(Change(), known)
    assert is_default(Change(inputs={"steps": known.settings.steps}), known)
    assert is_default(Change(entangle={"detail": known.entangle.detail}), known)
    assert not is_default(Change(inputs={"steps": known.settings.steps + 1}), known)
    assert not is_default(Change(mixing={"init_weight": known.settings.mixing.init_weight + 0.1}), known)
    assert not is_default(Change(swaps=("no warp",)), known)


@pytest.mark.parametrize("change", [Change(inputs={"no_such": 1}), Change(entangle={"no_such": 1})])
def test_what_the_pack_no_longer_has_is_told(pack: Pack, pictures: tuple[np.ndarray, np.ndarray],
                                             change: Change) -> None:
    with pytest.raises(UnavailableError, match="no_such"), applied(change, pack, "unet"):
        pack.methods.restore([pictures[0]], pictures[1], {"steps": 2})
