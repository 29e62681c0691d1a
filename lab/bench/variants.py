"""What the ablation switches: groups of variants, each one change to the default (METHOD §3 to §6)."""
from __future__ import annotations

from dataclasses import dataclass, replace

from .conditions import Condition
from .switches import Change


@dataclass(frozen=True)
class Variant:
    """One row of a table: the default with `change`, on triples under `condition`. `rival`: a pixel rival instead."""

    name: str
    change: Change = Change()
    condition: Condition = Condition()
    rival: str | None = None

    @property
    def reference(self) -> Variant:
        """What this row is compared with: the default under the same condition, from one photo."""
        return Variant("default", condition=replace(self.condition, used=1))

    @property
    def is_reference(self) -> bool:
        """Whether this row is that reference, under another name."""
        return self.rival is None and self.change.is_none and self.condition == self.reference.condition


@dataclass(frozen=True)
class Group:
    """Variants of one choice. `key`: for --only; `about`: what is switched, for the reader of the table."""

    key: str
    title: str
    about: str
    variants: tuple[Variant, ...]


def _set(part: str, **fields: object) -> Change:
    """Fields of one part of the configuration, or of its top where `part` is empty."""
    return Change({f"{part}.{name}" if part else name: value for name, value in fields.items()})


def _crossed(conditions: dict[str, Condition], changes: dict[str, Change]) -> tuple[Variant, ...]:
    """The default and every change under every condition."""
    every = {"default": Change(), **changes}
    return tuple(Variant(f"{name}, {where}", change, condition)
                 for where, condition in conditions.items() for name, change in every.items())


MISALIGNED = {"landmarks exact": Condition(), **{f"landmarks off by {share:.0%}": Condition(noise=share)
                                                 for share in (0.01, 0.02, 0.05)}}
TURNED = {f"head turned {degrees}° apart": Condition(yaw=float(degrees)) for degrees in (0, 10, 20, 30, 40)}

NO_GATES = _set("entangle", structure=0.0, detail=0.0)
PLAIN_AVERAGE = _set("sampling.mixing", spherical=False)
NAIVE = _set("sampling", inversion="naive")
DDIM = _set("sampling", solver_window=(1.0, 1.0))
LOCK_STEP = _set("sampling", mode="lock-step")
HARD_MASKS = _set("entangle", masks="hard")
NO_AGREEMENT = _set("entangle", agreement=None)


def groups(family: str) -> tuple[Group, ...]:
    """The whole catalogue for "unet" or "dit"."""
    parts = {f"{gate} in {part} blocks": _set("entangle", **{f"{gate}_blocks": part})
             for gate in ("structure", "detail") for part in (("down", "mid", "up") if family == "unet" else
                                                              ("early half", "late half"))}
    everywhere = {f"{gate} in all blocks": _set("entangle", **{f"{gate}_blocks": "all"})
                  for gate in ("structure", "detail")}
    probed = _set("entangle", structure_blocks="probed", detail_blocks="probed")
    return (
        Group("mixing", "Mixing law (§4)", "How the original's noise joins the edit's: on the sphere (default) or as a "
              "plain average (the paper), and how the weight grows.", (
                  Variant("plain average, as in the paper", PLAIN_AVERAGE),
                  *(Variant(f"init_weight {w}", _set("sampling.mixing", init_weight=w)) for w in (0.0, 0.1, 0.25)),
                  *(Variant(f"rate {r}", _set("sampling.mixing", rate=r)) for r in (0.0, 0.1)),
                  *(Variant(f"final_steps {n}", _set("sampling.mixing", final_steps=n)) for n in (0, 1, 6)),
                  *(Variant(f"low_band_blur {b}", _set("sampling.mixing", low_band_blur=b)) for b in (1.0, 2.0)),
              )),
        Group("inversion", "Inversion (§3)", "How the two pictures are carried up: velocity reuse (default), plain "
              "DDIM (the paper), or one fixed-point correction more a step; and the known noise they start with.", (
                  Variant("plain DDIM inversion", NAIVE),
                  Variant("one fixed-point correction", _set("sampling", inversion="fixed point")),
                  *(Variant(f"known noise {a}", _set("sampling", sigma_floor=a)) for a in (0.02, 0.1, 0.2)),
              )),
        Group("solver", "Solver and its window (§2)", "Where the second-order steps are taken; a window of no length "
              "is DDIM everywhere. 0 is the run's noisiest level, 1 the clean picture.", (
                  Variant("DDIM everywhere", DDIM),
                  Variant("second order from 0.3 to 0.9", _set("sampling", solver_window=(0.3, 0.9))),
                  Variant("second order from 0.5 on", _set("sampling", solver_window=(0.5, 1.0))),
                  Variant("second order everywhere", _set("sampling", solver_window=(0.0, 1.0))),
              )),
        Group("steps", "Steps and strength", "How finely the run is divided, and how much of it is done again.", (
            *(Variant(f"{n} steps", _set("sampling", steps=n)) for n in (4, 6, 10, 20)),
            *(Variant(f"strength {s}", _set("sampling", strength=s)) for s in (0.3, 0.5, 0.7, 0.9, 1.0)),
            Variant("strength by drift", _set("", strength_by_drift=1.0)),
        )),
        Group("freedom", "Freedom, and the run without its leash (§4)", "How far the model may leave the two pictures "
              "inside the face: 0 only joins them. At full freedom the run itself has its say.", (
                  *(Variant(f"freedom {f}", _set("sampling", freedom=f)) for f in (0.0, 0.3, 0.6, 1.0)),
                  *(Variant(f"freedom 1, {name}", change | _set("sampling", freedom=1.0)) for name, change in {
                      "no gates": NO_GATES, "no detail gate": _set("entangle", detail=0.0),
                      "plain average": PLAIN_AVERAGE, "plain DDIM inversion": NAIVE, "DDIM everywhere": DDIM,
                      "lock-step": LOCK_STEP, "strength 0.3": _set("sampling", strength=0.3),
                      "strength 0.9": _set("sampling", strength=0.9), "hard masks": HARD_MASKS,
                      "no agreement gate": NO_AGREEMENT,
                  }.items()),
              )),
        Group("mode", "Sources (§3)", "Inversion recorded and replayed, sources evaluated again beside the target, or "
              "noised without inversion.", (
                  Variant("replay", _set("sampling", mode="replay")), Variant("lock-step", LOCK_STEP),
                  Variant("replay, sources evaluated again", _set("sampling", mode="replay", recompute_sources=True)),
              )),
        Group("paper", "The paper's run (§1)", "EditedID as its text has it, and as its published code does; without "
              "a new shape, which is not the paper's.", tuple(
                  Variant(mode, _set("sampling", mode=mode) | _set("shape", face_shape=0.0))
                  for mode in ("paper 6 steps", "paper 50 steps", "paper, official code"))),
        Group("tensors", "Which tensors the gates act on (§5)", "Attention outputs (structure gate), keys and values "
              "(detail gate), whose outputs, and which keys a query may see.", (
                  Variant("no structure gate", _set("entangle", structure=0.0)),
                  Variant("no detail gate", _set("entangle", detail=0.0)),
                  Variant("no gates", NO_GATES),
                  Variant("structure gate at full strength", _set("entangle", structure=1.0)),
                  Variant("structure from the original", _set("entangle", donor="original")),
                  Variant("structure blended after the projection", _set("entangle", after_projection=True)),
                  Variant("all keys seen by all", _set("disentangle", strength=0.0)),
              )),
        Group("blocks", "Which blocks (§5)", "Where each gate acts. *probed*: what the layer probe chose.", (
            *(Variant(name, change) for name, change in (parts | everywhere).items()), Variant("probed", probed),
        )),
        Group("windows", "When the gates act (§5)", "0 is the run's noisiest level, 1 the clean picture.", (
            *(Variant(f"structure from {a} to {b}", _set("entangle", structure_window=(a, b)))
              for a, b in ((0.0, 0.3), (0.0, 1.0), (0.5, 1.0))),
            *(Variant(f"detail from {a} to {b}", _set("entangle", detail_window=(a, b)))
              for a, b in ((0.0, 1.0), (0.0, 0.5), (0.6, 1.0))),
        )),
        Group("masks", "Masks and what is held to the edit (§5)", "Soft or hard regions; whether everything outside "
              "the face is held to the edit at every step or only by the paste at the end.", (
                  Variant("hard masks", HARD_MASKS),
                  Variant("bilinear hard masks, as in the official code", _set("entangle", masks="bilinear hard")),
                  Variant("surroundings held by the paste only", _set("sampling", hold_surroundings=False)),
                  *(Variant(f"auto_elements {a}", _set("crop", auto_elements=a)) for a in (0.0, 0.7, 2.0)),
              )),
        Group("agreement", "Agreement gate (§5)", "Gates close where the two pictures disagree. Under landmarks that "
              "are off, and between heads turned apart.", _crossed(
                  MISALIGNED | TURNED, {"no agreement gate": NO_AGREEMENT,
                                        "strict agreement gate": _set("entangle", agreement=0.5),
                                        "pose-dependent strength": _set("entangle", pose=0.15)})),
        Group("surroundings", "Around the diffusion (§6)", "The edit's shape, the original's warp onto it, light and "
              "colour, and what the autoencoder loses.", (
                  *(Variant(f"face_shape {s}", _set("shape", face_shape=s)) for s in (0.0, 0.5)),
                  Variant("face_shape 0, no diffusion", _set("shape", face_shape=0.0) | _set("", engine="composite")),
                  Variant("skin_tone 1", _set("shape", skin_tone=1.0)),
                  *(Variant(f"face_shape 0, {name}", _set("shape", face_shape=0.0) | _set("crop", alignment=how))
                    for name, how in (("no warp", "none"), ("own frames", "own frames"))),
                  Variant("not relit", _set("crop", relight=0.0)), Variant("half relit", _set("crop", relight=0.5)),
                  Variant("the photo's own sharpness", _set("crop", match_sharpness=False)),
                  Variant("features mixed in part", _set("crop", whole_features=False)),
                  Variant("no diffusion: the photo's crop in the same masks", _set("", engine="composite")),
                  Variant("colour brought to the edit's after", _set("paste", colour=1.0)),
                  Variant("autoencoder's loss not given back", _set("", detail=0.0)),
                  Variant("no guard", _set("guard", enabled=False)),
              )),
        Group("guidance", "Guidance", "More guidance costs twice; the lab's models ignore text, so that both halves "
              "differ in their gates alone. Gated: which half of the batch the gates act on.", (
                  *(Variant(f"guidance {g}", _set("sampling", cfg=float(g))) for g in (3, 7)),
                  *(Variant(f"guidance {g}, {half} half gated",
                            _set("sampling", cfg=float(g)) | _set("entangle", gated_half=half))
                    for g in (3, 7) for half in ("positive", "negative")),
              )),
        Group("precision", "Half precision", "The diffusion network in bfloat16 instead of float32.",
              (Variant("bfloat16", Change(half=True)),)),
        Group("photos", "More than one photo", "Four photos of the person instead of one, in other poses and light; "
              "likeness is measured to the mean of the four in every row.", tuple(
                  Variant(f"{name}{where}", change, replace(condition, photos=4, used=used))
                  for where, condition in (("", Condition()), (", heads 30° apart", Condition(yaw=30.0)))
                  for name, used, change in (
                      ("default, one photo", 1, Change()),
                      ("four photos, the nearest pose", 4, _set("match", photos="nearest pose")),
                      ("four photos, the likest", 4, _set("match", photos="likest")),
                      ("four photos, keys together", 4, _set("match", photos="all together")),
                  ))),
    )
