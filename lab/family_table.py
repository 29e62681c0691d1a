"""docs/FAMILIES.md: written from the table that the hooks read and from what the tests measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from editedid_core.comfy.model_families import FAMILIES, Family, find_family
from editedid_core.engines.edited_id.wanted import DISTILLED, LARGE, SMALL, Wanted

from .toys import TOYS, Toy, make

PATH = Path(__file__).resolve().parent.parent / "docs" / "FAMILIES.md"
_HEAD = """# Model families

This page lists the models that the attention gates reach. They were tested on toy instances of ComfyUI's own classes
with random weights (`lab/toys.py`). `EDITEDID_UPDATE=1 python run.py test --ring host -k families` writes the page,
once for each host version.

* **Token map**: the test moved every latent pixel, and the image token that the map names moved in every layer, at
  square and odd sizes, with and without reference latents (`tests/host/method/test_token_map.py`).
* **Round trip**: recorded and replayed with the structure gate at full strength, mixing weight 0 gives the edit back
  and weight 1 the original. The figure is the error against the difference of the two, in dB (features are kept in
  half precision).
* **Gating**: how many of the image tokens inside the mask took the original's attention output, over all layers and
  steps. No other token changed.

| family | hooks | token layout | ComfyUI | round trip, edit / original | gating |
|---|---|---|---|---|---|
"""
_PROFILES = """## How each model is run

The pack runs a model as its makers do. Tests look at what every row of the network is given
(`tests/host/method/test_profiles.py`). The first row that fits counts.

* **Known by**: the host's class of the model, words of its file's name, channels of its input. The file's name is the
  host's own record or what the loaders before the node were told, GGUF loaders of other packs too; LoRAs are read in
  the same way. Where nobody tells it, an edit model counts as the plain model, and the report says so.
* **Size**: side in pixels of a crop with `crop_size` *auto*.
* **No prompt**: *encoded* is what the text encoder makes of an empty prompt, with the family's template; without
  `clip` zeros stand for it, and the report says so. *Zeros* were trained.
* **Guidance**: the embedded guidance of the sources and of the target. A prompt's own (*FluxGuidance*) is the
  target's.
* **References**: the original sees itself and the edit itself, twice each; the target sees the original and then the
  edit. A prompt's own references are left as they are.
* **Steps**: a distilled model is run in lock-step on its own noise levels, up to where *strength* reaches. A file name
  with *turbo*, *lightning*, *lcm*, *hyper*, *dmd*, *distill* or *rapid aio* counts as well, of the model or of a LoRA,
  and LCM sampling. A number in the name, as in *8steps*, counts first. Nothing else tells that a model is distilled:
  put the word into the name of a file that lacks it. The model's own
  shift of its schedule, and that of the *ModelSampling* nodes, is kept; elsewhere the levels are even in the
  logarithm of the noise-to-signal ratio, which no shift moves.
* **Wants**: how much a run does where `strength`, `freedom`, `structure` and `detail` are *auto*, the next table.

**What it is worth.** `python run.py bench profiles` runs the lab's `people_dit`, whose text, guidance and references
are live, on tune triples of its rendered people. Its loss on the wanted picture with the photo as reference, by
noise level, and the face after a restoration at full `freedom`, over 5 triples:

| run | loss | at 0.3 | 0.5 | 0.7 | 0.9 | face |
|---|---|---|---|---|---|---|
| as trained | 0.263 | 0.31 | 0.24 | 0.23 | 0.28 | 23.2 dB |
| zeros for its empty prompt | 0.335 | 0.43 | 0.32 | 0.28 | 0.32 | 23.1 dB |
| the host's guidance of 3.5 | 0.269 | 0.31 | 0.25 | 0.23 | 0.28 | 23.2 dB |
| without the references | 0.285 | 0.32 | 0.25 | 0.25 | 0.32 | 22.8 dB |
| all three wrong | 0.396 | 0.45 | 0.35 | 0.35 | 0.44 | 22.8 dB |
| the photo as it is, not laid over the edit | 0.275 | 0.31 | 0.25 | 0.24 | 0.30 | - |
| the wanted picture as reference | 0.023 | 0.02 | 0.01 | 0.01 | 0.05 | - |

The right prompt and the reference lower the loss at every noise level. Both pictures give the restored face 0.4 dB; it
says less, since at full freedom this model gives back more of the edit (docs/QUALITY.md).

| model | known by | size | no prompt | guidance | references | beside the noise | steps | wants | source |
|---|---|---|---|---|---|---|---|---|---|
"""
_WANTED = """
### How much a run does

A number that you set wins, and the report of *Restore Identity* says which values a model got and why.

| a model that is | strength | freedom | gates: structure / detail | where from |
|---|---|---|---|---|
"""
_ABOUT_WANTED = """\
* **Small.** In the ablation of the lab's UNet and DiT no strength from 0.3 to 1 and no freedom to 0.3 changes more
  than one face of ten or 0.01 of recovery; full freedom costs 0.03 to 0.05 of recovery, and without gates 0.02 more
  (docs/ABLATION.md). Three sizes of the lab's people_dit, an edit model with references, lose likeness by more
  strength and freedom too, the larger ones more (docs/QUALITY.md).
* **Large.** Face detailers redraw a face at a denoise of 0.35 to 0.5 (ADetailer starts at 0.4, FaceDetailer at 0.5).
  Denoise counts time, strength the logarithm of the noise: on the levels of SD 1.5, SDXL, SD3, FLUX, Qwen-Image and
  Z-Image 0.35, 0.4 and 0.5 are a strength of 0.52, 0.55 and 0.60; on schedules with a large shift (FLUX.2, Wan) 0.65,
  0.68 and 0.74, without any 0.35, 0.38 and 0.43. Strength 0.5 is the same noise on all of them. More of it is not
  known to help, so the careful end is the default, for edit and inpainting models too. That is practice and what
  small models showed; nothing was measured at full size.
* **Distilled.** The levels of four steps lie at 0.43 to 0.58, 0.59 to 0.74, 0.75 to 0.9 and 1 (without a shift at
  0.28, 0.43, 0.59, 1). At strength 0.2, 0.5, 0.8 and 1 one, one, three and four of them are run on most models
  (FLUX.2, Wan: one, one, two, four; without a shift one, two, three, four), of eight one, two, six and eight. *auto*
  takes half, as the example on the model card of SDXL Turbo does. Each gate acts on a third of the steps or more at
  all of these (`tests/host/method/test_wanted.py`). The lab's DiT on four steps of its own, as if it were distilled,
  gives equal faces at one, two, three and four of them (4 drawn triples: recovery 0.39, 0.38, 0.38, 0.38); a model
  that is distilled was not measured.
"""
_REFUSED = """## Refused

ID Entanglement and the gated sampler refuse these models with one sentence. Where only the gates cannot act, as in
networks of other packs that ComfyUI does not know, Restore Identity works by mixing alone and says so:

| family | why |
|---|---|
"""
_LOCATED = {
    "numbers": "attention override, the host's block numbers",
    "order": "attention override, order of the calls",
    "patch": "attention override, attn1 patch",
}


@dataclass(frozen=True)
class Measured:
    """`kept`, `back`: round trips in dB; `taken` of `tokens` image tokens were gated."""

    kept: float
    back: float
    taken: int
    tokens: int


def layout(family: Family, toy: Toy) -> str:
    """The order of tokens in words."""
    if family.located == "patch":
        return "image; text by cross-attention"
    if any("other" in blocks.calls for blocks in family.blocks):
        return "image; text by cross-attention"
    references = ", references" if toy.references else ""
    if family.image == "first":
        return f"image{references}, text"
    padding = ", padding" if family.padded and family.padded in toy.settings else ""
    if family.references == "apart":
        return f"text{references}, image{padding}"
    return f"text, image{references}"


def profiles() -> str:
    """How each model is run, as a section of the page."""
    lines = []
    for family in FAMILIES:
        for one in family.profiles:
            named = " or ".join(f"*{word}*" for word in one.named) + (", also of a LoRA" if one.by_lora else "")
            told = [one.config and f"`{one.config}`", named,
                    f"{one.channels} channels" if one.channels else "", "v-prediction" if one.v_prediction else ""]
            guidance = "" if one.guidance is None else " / ".join(f"{value:g}" for value in one.guidance)
            cells = (one.title, ", ".join(filter(None, told)), f"{one.size}", one.text, guidance,
                     "yes" if one.references else "", one.concat,
                     f"{one.steps or ''}" if not one.few else f"{one.few} if distilled",
                     "" if one.refusal else "distilled" if one.steps else one.wanted.kind,
                     f"refused: {one.refusal}" if one.refusal else one.source)
            lines.append(f"| {' | '.join(cells)} |")
    wants = "\n".join(map(_wants, (SMALL, LARGE, DISTILLED)))
    return _PROFILES + "\n".join(lines) + f"\n{_WANTED}{wants}\n\n{_ABOUT_WANTED}"


def _wants(kind: Wanted) -> str:
    strength = "half of its own steps" if kind.own_share else f"{kind.strength:g}"
    return (f"| {kind.kind} | {strength} | {kind.freedom:g} | {kind.structure:g} / {kind.detail:g} | {kind.why} |")


def write_table(measured: Mapping[str, Measured], version: str) -> None:
    """Write the page when EDITEDID_UPDATE asks for it; figures are those of the newest host that ran."""
    if os.environ.get("EDITEDID_UPDATE") != "1":
        return
    before = {row[0]: row for row in _rows(PATH.read_text("utf8"))} if PATH.exists() else {}
    lines = []
    for kind, toy in TOYS.items():
        old = before.get(toy.title)
        versions = set(old[3].split(", ")) if old else set()
        new = measured.get(kind)
        if new is not None and version == max({version, *versions}, key=_number):
            family = find_family(make(toy).model.diffusion_model)
            assert family is not None
            figures = (_LOCATED[family.located], layout(family, toy), f"{new.kept:.0f} / {new.back:.0f}",
                       f"{new.taken} of {new.tokens}")
        elif old:
            figures = (old[1], old[2], old[4], old[5])
        else:
            continue
        seen = ", ".join(sorted(versions | ({version} if new is not None else set()), key=_number))
        lines.append(f"| {toy.title} | {figures[0]} | {figures[1]} | {seen} | {figures[2]} | {figures[3]} |")
    refused = {f.name: f.refusal for f in FAMILIES if f.refusal}
    closed = "".join(f"| {name} | {why} |\n" for name, why in refused.items())
    PATH.write_text(f"{_HEAD}{chr(10).join(lines)}\n\n{profiles()}\n{_REFUSED}{closed}", "utf8")


def _rows(page: str) -> list[list[str]]:
    rows = [line.strip("| ").split(" | ") for line in page.split("## Refused")[0].splitlines() if line.startswith("| ")]
    return [row for row in rows if len(row) == 6 and row[0] != "family"]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
