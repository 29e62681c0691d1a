"""Every stage as a node gives the picture of the one node, bit for bit, at the defaults of both."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from lab.checkpoints import CROPS, FILES
from lab.demo_pictures import default_triple
from lab.inprocess import Host

FAMILIES = list(CROPS)


def called(host: Host, node_id: str, **given: Any) -> Any:
    """The outputs of a node at its defaults but for what is given."""
    node = host.node(node_id)
    values = {i.id: i.default for i in node.define_schema().inputs if getattr(i, "default", None) is not None}
    return node.execute(**{**values, **given}).result


def expert(host: Host, model: Any, vae: Any, original: torch.Tensor, edited: torch.Tensor, size: int,
           analyzer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The way of the template with every stage; returns the picture and its mask."""
    faces = [called(host, "EditedIDDetectFaces", image=image, analyzer=analyzer)[0] for image in (original, edited)]
    pairs = called(host, "EditedIDMatchFaces", original=faces[0], edited=faces[1])[0]
    shaped, pairs, moved = called(host, "EditedIDShapeFaces", edited_image=edited, pairs=pairs)
    crop, edit, face, element, paste = called(host, "EditedIDCropFacePairs", original_image=original,
                                              edited_image=shaped, pairs=pairs, size=size)
    encoder, decoder = host.node("VAEEncode")(), host.node("VAEDecode")()
    latents = [encoder.encode(vae, pixels)[0] for pixels in (crop, edit)]
    gated = called(host, "EditedIDAttentionDisentangle", model=model)[0]
    gated = called(host, "EditedIDEntanglement", model=gated)[0]
    latent = called(host, "EditedIDAdaptiveMixingSampler", model=gated, original_latent=latents[0],
                    edited_latent=latents[1], face_mask=face, element_mask=element)[0]
    restored = decoder.decode(vae, latent)[0]
    restored = called(host, "EditedIDReturnDetail", restored=restored, original=crop, edited=edit,
                      original_latent=latents[0], edited_latent=latents[1], vae=vae, face_mask=face,
                      element_mask=element)[0]
    accepted, paste, _ = called(host, "EditedIDJudgeFaces", edited_image=edited, edited=edit, crops=restored,
                                paste=paste, analyzer=analyzer)
    image, mask = called(host, "EditedIDPasteFaces", edited_image=shaped, crops=accepted, paste=paste)
    return image, torch.maximum(mask, moved)


@pytest.mark.parametrize(("family", "distilled"), [*((family, False) for family in FAMILIES), (FAMILIES[0], True)])
def test_every_stage_as_a_node_gives_the_picture_of_the_one_node(host: Host, family: str, distilled: bool) -> None:
    """Both read off the model how much they do: a distilled one wants half of its own steps."""
    model, _, vae = host.node("CheckpointLoaderSimple")().load_checkpoint(FILES[family])[:3]
    if distilled:
        model = model.clone()
        model.cached_patcher_init = (None, ("/models/turbo_4steps.safetensors",))
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320).result[0]
    triple, size = default_triple(), CROPS[family] // 2  # a quarter of the work, and no worse a proof
    original, edited = (torch.from_numpy(picture.image).float()[None] for picture in (triple.original, triple.drifted))
    with torch.inference_mode():
        whole = called(host, "EditedIDRestoreIdentity", model=model, vae=vae, original=original, edited=edited,
                       crop_size=size, analyzer=analyzer)
        image, mask = expert(host, model, vae, original, edited, size, analyzer)
    assert not torch.equal(image, edited)
    assert torch.equal(image, whole[0])
    assert torch.equal(mask, whole[1])
    told = json.loads(whole[4])
    assert told["amounts"].items() >= {"freedom": 0.3, "structure": 0.5, "detail": 1.0}.items()
    assert told["amounts"]["strength"] == (0.62 if distilled else 0.5)
    assert f"what a {'distilled' if distilled else 'small'} model wants" in told["amounts"]["why"]
    if distilled:
        assert told["network_evaluations"] == 2 * 3  # two of its four steps, three rows each


def test_a_graph_without_a_face_runs_through_to_the_end(host: Host) -> None:
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320).result[0]
    blank = torch.full((1, 96, 96, 3), 0.5)
    faces = called(host, "EditedIDDetectFaces", image=blank, analyzer=analyzer, no_face="pass through")[0]
    pairs = called(host, "EditedIDMatchFaces", original=faces, edited=faces)[0]
    crop, edit, _, _, paste = called(host, "EditedIDCropFacePairs", original_image=blank, edited_image=blank,
                                     pairs=pairs, size=64)
    accepted, record, report = called(host, "EditedIDJudgeFaces", edited_image=blank, edited=edit, crops=edit,
                                      paste=paste, analyzer=analyzer)
    image, mask = called(host, "EditedIDPasteFaces", edited_image=blank, crops=accepted, paste=record)
    assert torch.equal(image, blank) and not bool(mask.any()) and report == "[]"


def test_without_a_model_the_composite_is_put_in_and_the_report_says_so(host: Host) -> None:
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320).result[0]
    triple = default_triple()
    original, edited = (torch.from_numpy(picture.image).float()[None] for picture in (triple.original, triple.drifted))
    image, mask, before, after, report, *_, sheet = called(host, "EditedIDRestoreIdentity", original=original,
                                                           edited=edited, crop_size=128, analyzer=analyzer)
    assert after > before
    assert torch.equal(image[mask == 0], edited[mask == 0]) and not torch.equal(image, edited)
    assert sheet.shape[0] == 1 and sheet.shape[-1] == 3 and sheet.std() > 0.05
    assert '"mode": "composite"' in report and "without diffusion" in report


def test_without_the_face_mesh_the_report_says_what_photographs_lack(host: Host, monkeypatch: pytest.MonkeyPatch,
                                                                      ) -> None:
    run = sys.modules[host.node("EditedIDRestoreIdentity").__module__.rpartition(".")[0] + ".run"]
    analyzer = host.node("EditedIDLoadFaceAnalyzer").execute("insightface", "lab", 320).result[0]
    monkeypatch.setattr(run, "best_analyzer", lambda: analyzer)
    blank = torch.full((1, 96, 96, 3), 0.5)
    for pack, mesh, said in (("auto", None, True), ("lab", None, False), ("auto", Path("mesh"), False)):
        monkeypatch.setattr(run, "default_pack", lambda pack=pack: pack)
        monkeypatch.setattr(run, "mesh_weights", lambda mesh=mesh: mesh)
        report = called(host, "EditedIDRestoreIdentity", original=blank, edited=blank, no_face="pass through")[4]
        assert ("face mesh is not installed" in report) == said
