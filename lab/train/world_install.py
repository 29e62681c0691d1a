"""Put what a run of `world_run` left behind where the lab's models lie.

    python -m lab.train.world_install RUN --into lab/models
    python -m lab.train.world_install --random FOLDER       untrained files of the same shapes, for tests

Writes people_dit.safetensors and people_unet.safetensors (8-bit diffusion model and its float16 autoencoder),
insightface/people3d/{detector,landmarks,recogniser}.onnx and judge/people3d/{recogniser_b,critic}.onnx.
`lab/install_models.py` expands them into a host's folders and makes the text encoder there.
"""
from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import models_io
from .autoencoder import Decoder, Encoder
from .detector import export as export_detector
from .export import SD15_SCALE, vae_part
from .flux import Flux, FluxPlan
from .judge_nets import Critic, DenseLandmarks, Detector, Embedder, Regressor
from .onnx_file import save
from .unet import UNet, UNetPlan
from .world_export import write_results
from .world_models import FLUX_PLAN, UNET_PLAN

FLUX_SCALE, FLUX_SHIFT = 0.3611, 0.1159  # the host subtracts the shift from latents, then multiplies
FILES = {"flux": ("people_dit", "ae16", "vae."), "unet": ("people_unet", "ae4", "first_stage_model.")}
"""By the run's file: the shipped one, its autoencoder, and where a host looks for that in it. `flux_384` of a ladder
becomes `people_dit_384`."""


def autoencoder(saved: dict[str, Any]) -> tuple[Encoder, Decoder]:
    """The pair of a run's ae*.pt."""
    encoder, decoder = Encoder(saved["channels"]), Decoder(saved["channels"])
    for name, part in (("encoder", encoder), ("decoder", decoder)):
        part.load_state_dict({k[len(name) + 1:]: v.float() for k, v in saved["state"].items() if k.startswith(name)})
    return encoder, decoder


def vae_tensors(encoder: Encoder, decoder: Decoder, flux: bool) -> dict[str, Tensor]:
    """A TAESD whose scale and shift undo what the host's latent format does."""
    scale, shift = (FLUX_SCALE, FLUX_SHIFT) if flux else (SD15_SCALE, 0.0)
    return vae_part(encoder, decoder) | {"vae_scale": torch.tensor(scale), "vae_shift": torch.tensor(shift)}


def install_diffusion(run: Path, into: Path) -> list[Path]:
    """The checkpoints whose diffusion model and autoencoder the run both left; their paths."""
    made = []
    for kind, (file, pair, prefix) in FILES.items():
        saved, trained = run / f"{pair}.pt", sorted(run.glob(f"{kind}*.safetensors"))
        if not (trained and saved.is_file()):
            print(f"{file}: not made, {kind}.safetensors or {saved.name} is missing")
            continue
        state = torch.load(saved, map_location="cpu", weights_only=True)
        vae = vae_tensors(*autoencoder(state), flux=kind == "flux")
        note = {"autoencoder": f"{state['steps']} steps, {state['decibels']:.2f} dB on tune people"}
        for packed in trained:
            out = into / f"{file}{packed.stem.removeprefix(kind)}.safetensors"
            models_io.extend(packed, {prefix + k: v.detach().numpy() for k, v in vae.items()}, out, note)
            made.append(out)
    return made


def install_judges(run: Path, into: Path) -> list[Path]:
    """The judges as ONNX files; their paths."""
    if not (run / "judges.pt").is_file():
        print("judges: not made, judges.pt is missing")
        return []
    saved, made = torch.load(run / "judges.pt", map_location="cpu", weights_only=True), []
    pack, judge = into / "insightface" / "people3d", into / "judge" / "people3d"
    for name, result in saved.items():
        state = {k: v.float() if v.is_floating_point() else v for k, v in result["state"].items()}
        network = _network(name, state)
        network.load_state_dict(state)
        network.eval()
        notes = {"licence": "GPL-3.0", "made_by": "lab.train.world_run", "steps": str(result["steps"]),
                 "told": result["told"]}
        path = (judge if name in ("recogniser_b", "critic") else pack) / f"{name.removesuffix('_a')}.onnx"
        if isinstance(network, Detector):
            export_detector(network, path, {})
        else:
            side, output = {"landmarks": (192, "points"), "critic": (96, "damage")}.get(name, (112, "embedding"))
            if isinstance(network, Critic):
                network.probabilities = True
            save(network, torch.zeros(1, 3, side, side), path, [output], {"input": {0: "faces"}, output: {0: "faces"}},
                 notes)
        made.append(path)
    return made


def _network(name: str, state: dict[str, Tensor]) -> torch.nn.Module:
    if name == "recogniser_a":
        return Regressor(len(state["head.3.bias"]))
    return {"recogniser_b": Embedder, "critic": Critic, "landmarks": DenseLandmarks, "detector": Detector}[name]()


def untrained(run: Path, flux: FluxPlan = FLUX_PLAN, unet: UNetPlan = UNET_PLAN) -> None:
    """The files of a run that never trained."""
    torch.manual_seed(0)
    results: dict[str, Any] = {}
    for kind, model in (("flux", Flux(flux)), ("unet", UNet(unet))):
        state = {k: v.detach() for k, v in model.state_dict().items()}
        results[kind] = {"kind": kind, "plan": asdict(model.plan), "steps": 0, "batch": 0, "told": "", "state": state}
    for channels in (16, 4):
        pair = {"encoder": Encoder(channels), "decoder": Decoder(channels)}
        state = {f"{part}.{k}": v.detach().half() for part, net in pair.items() for k, v in net.state_dict().items()}
        results[f"ae{channels}"] = {"kind": "autoencoder", "channels": channels, "fixed": True, "decibels": np.nan,
                                    "steps": 0, "state": state}
    run.mkdir(parents=True, exist_ok=True)
    write_results(results, run)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Install the rendered world's models")
    parser.add_argument("run", type=Path, nargs="?", help="folder that world_run wrote")
    parser.add_argument("--into", type=Path, default=Path("lab/models"))
    parser.add_argument("--random", type=Path, help="write an untrained run here first and install that")
    options = parser.parse_args(arguments)
    run = options.random or options.run
    if run is None:
        parser.error("name the run's folder, or --random FOLDER")
    if options.random:
        untrained(run)
    for path in [*install_diffusion(run, options.into), *install_judges(run, options.into)]:
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
