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


@dataclass(frozen=True)
class Group:
    """Variants of one choice. `key`: for --only; `about`: what is switched, for the reader of the table."""

    key: str
    title: str
    about: str
    variants: tuple[Variant, ...]


def _inputs(**fields: object) -> Change:
    return Change(inputs=fields)


def _rows(**changes: Change) -> tuple[Variant, ...]:
    return tuple(Variant(name.replace("_", " "), change) for name, change in changes.items())


def _crossed(conditions: dict[str, Condition], changes: dict[str, Change]) -> tuple[Variant, ...]:
    """The default and every change under every condition."""
    every = {"default": Change(), **changes}
    return tuple(Variant(f"{name}, {where}", change, condition)
                 for where, condition in conditions.items() for name, change in every.items())


MISALIGNED = {"landmarks exact": Condition(), **{f"landmarks off by {share:.0%}": Condition(noise=share)
                                                 for share in (0.01, 0.02, 0.05)}}
TURNED = {f"head turned {degrees}° apart": Condition(yaw=float(degrees)) for degrees in (0, 10, 20, 30, 40)}


def groups(family: str) -> tuple[Group, ...]:
    """The whole catalogue for "unet" or "dit"."""
    parts = {f"{gate} in {part} blocks": Change(entangle={f"{gate}_blocks": part})
             for gate in ("structure", "detail") for part in (("down", "mid", "up") if family == "unet" else
                                                              ("early half", "late half"))}
    everywhere = {f"{gate} in all blocks": Change(entangle={f"{gate}_blocks": "all"})
                  for gate in ("structure", "detail")}
    probed = Change(entangle={"structure_blocks": "probed", "detail_blocks": "probed"})
    return (
        Group("mixing", "Mixing law (§4)", "How the original's noise joins the edit's at the top of the run: on the "
              "sphere (default) or as a plain average (the paper), and how the weight grows.", (
                  Variant("plain average, as in the paper", Change(swaps=("linear mixing",))),
                  *(Variant(f"init_weight {w}", _inputs(init_weight=w)) for w in (0.0, 0.1, 0.25)),
                  *(Variant(f"final_steps {n}", _inputs(final_steps=n)) for n in (0, 1, 6)),
                  *(Variant(f"denoised_share {s}", Change(mixing={"denoised_share": s})) for s in (0.0, 0.5)),
                  *(Variant(f"low_band_blur {b}", Change(mixing={"low_band_blur": b})) for b in (1.0, 2.0)),
              )),
        Group("inversion", "Inversion (§3)", "How the two pictures are carried up: velocity reuse (default), plain "
              "DDIM (the paper), or one fixed-point correction more a step; and the known noise they start with.", (
                  Variant("plain DDIM inversion", Change(swaps=("naive inversion",))),
                  Variant("one fixed-point correction", Change(swaps=("fixed-point inversion",))),
                  *(Variant(f"known noise {a}", Change(settings={"anchor": a})) for a in (0.02, 0.1, 0.2)),
              )),
        Group("solver", "Solver and its window (§2)", "Where the second-order steps are taken; a window of no length "
              "is DDIM everywhere. 0 is noise, 1 the finished picture.", (
                  Variant("DDIM everywhere", _inputs(solver_start=1.0, solver_end=1.0)),
                  Variant("second order from 0.3 to 0.9", _inputs(solver_start=0.3, solver_end=0.9)),
                  Variant("second order from 0.5 on", _inputs(solver_start=0.5, solver_end=1.0)),
                  Variant("second order everywhere", _inputs(solver_start=0.0, solver_end=1.0)),
              )),
        Group("steps", "Steps and strength", "How finely the run is divided, and how much of it is done again.", (
            *(Variant(f"{n} steps", _inputs(steps=n)) for n in (4, 6, 10, 20)),
            *(Variant(f"strength {s}", _inputs(strength=s)) for s in (0.3, 0.5, 0.7, 0.9, 1.0)),
            Variant("strength by drift", _inputs(strength_by_drift=1.0)),
        )),
        Group("freedom", "Freedom, and the run without its leash (§4)", "How far the model may leave the two pictures "
              "inside the face: 0.3 is the default, 0 only joins them. At full freedom the run itself has its say.", (
                  *(Variant(f"freedom {f}", _inputs(freedom=f)) for f in (0.0, 0.6, 1.0)),
                  *(Variant(f"freedom 1, {name}", replace(change, inputs={**change.inputs, "freedom": 1.0}))
                    for name, change in {
                        "no gates": Change(entangle={"structure": 0.0, "detail": 0.0}),
                        "no detail gate": Change(entangle={"detail": 0.0}),
                        "plain average": Change(swaps=("linear mixing",)),
                        "plain DDIM inversion": Change(swaps=("naive inversion",)),
                        "DDIM everywhere": _inputs(solver_start=1.0, solver_end=1.0),
                        "lock-step": _inputs(mode="lock-step"),
                        "strength 0.3": _inputs(strength=0.3), "strength 0.9": _inputs(strength=0.9),
                        "hard masks": Change(swaps=("hard masks",)),
                        "no agreement gate": Change(entangle={"agreement": None}),
                    }.items()),
              )),
        Group("mode", "Sources (§3)", "Inversion recorded and replayed, sources evaluated again beside the target, or "
              "noised without inversion.", (
                  Variant("replay", _inputs(mode="replay")), Variant("lock-step", _inputs(mode="lock-step")),
                  Variant("replay, sources evaluated again", Change({"mode": "replay"}, swaps=("recompute",))),
              )),
        Group("tensors", "Which tensors the gates act on (§5)", "Attention outputs (structure gate), keys and values "
              "(detail gate), whose outputs, and which keys a query may see.", (
                  Variant("no structure gate", Change(entangle={"structure": 0.0})),
                  Variant("no detail gate", Change(entangle={"detail": 0.0})),
                  Variant("no gates", Change(entangle={"structure": 0.0, "detail": 0.0})),
                  Variant("structure gate at full strength", Change(entangle={"structure": 1.0})),
                  Variant("structure from the original", Change(entangle={"donor": "original"})),
                  Variant("all keys seen by all", Change(disentangle={"strength": 0.0})),
              )),
        Group("blocks", "Which blocks (§5)", "Where each gate acts. *probed*: what the layer probe chose.", (
            *(Variant(name, change) for name, change in (parts | everywhere).items()), Variant("probed", probed),
        )),
        Group("windows", "When the gates act (§5)", "0 is noise, 1 the finished picture.", (
            *(Variant(f"structure from {a} to {b}", Change(entangle={"structure_window": (a, b)}))
              for a, b in ((0.0, 0.3), (0.0, 1.0), (0.5, 1.0))),
            *(Variant(f"detail from {a} to {b}", Change(entangle={"detail_window": (a, b)}))
              for a, b in ((0.0, 1.0), (0.0, 0.5), (0.6, 1.0))),
        )),
        Group("masks", "Masks and what is held to the edit (§5)", "Soft or hard regions; whether everything outside "
              "the face is held to the edit at every step or only by the paste at the end.", (
                  Variant("hard masks", Change(swaps=("hard masks",))),
                  Variant("surroundings held by the paste only", Change(swaps=("free surroundings",))),
                  *(Variant(f"auto_elements {a}", Change(options={"auto_elements": a})) for a in (0.0, 0.7, 2.0)),
              )),
        Group("agreement", "Agreement gate (§5)", "Gates close where the two pictures disagree. Under landmarks that "
              "are off, and between heads turned apart.", _crossed(
                  MISALIGNED | TURNED, {"no agreement gate": Change(entangle={"agreement": None}),
                                        "strict agreement gate": Change(entangle={"agreement": 0.5}),
                                        "pose-dependent strength": Change(entangle={"pose": 0.15})})),
        Group("surroundings", "Around the diffusion (§6)", "The edit's shape, the original's warp onto it, light and "
              "colour, and what the autoencoder loses.", (
                  *(Variant(f"face_shape {s}", _inputs(face_shape=s)) for s in (0.0, 0.5)),
                  Variant("face_shape 0, no warp", Change({"face_shape": 0.0}, swaps=("no warp",))),
                  Variant("face_shape 0, own frames", Change({"face_shape": 0.0}, swaps=("own frames",))),
                  Variant("not relit", _inputs(relight=0.0)), Variant("half relit", _inputs(relight=0.5)),
                  Variant("the photo's own sharpness", Change(swaps=("own sharpness",))),
                  Variant("features mixed in part", Change(swaps=("features in part",))),
                  Variant("no diffusion: the photo's crop in the same masks", Change(swaps=("no diffusion",))),
                  Variant("colour brought to the edit's after", Change(options={"colour": 1.0})),
                  Variant("autoencoder's loss not given back", Change(options={"detail": 0.0})),
                  Variant("no guard", _inputs(guard=False)),
              )),
        Group("guidance", "Guidance", "More guidance costs twice; the lab's models ignore text, so that both halves "
              "differ in their gates alone. Gated: which half of the batch the gates act on.", (
                  *(Variant(f"guidance {g}", _inputs(cfg=float(g))) for g in (3, 7)),
                  *(Variant(f"guidance {g}, {half} half gated", Change({"cfg": float(g)}, swaps=(f"{half} half",)))
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
                      ("four photos, the nearest pose", 4, Change(options={"choice": "nearest pose"})),
                      ("four photos, the likest", 4, Change(options={"choice": "likest"})),
                      ("four photos, keys together", 4, Change(options={"choice": "all together"})),
                  ))),
    )
