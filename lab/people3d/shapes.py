"""How standard normal numbers become a shape: weights of the mesh's targets."""

from __future__ import annotations

import torch

from .traits import ANCESTRIES, Row, uniform

DEVIATION = {
    "nose": 0.5,
    "mouth": 0.38,
    "chin": 0.4,
    "head": 0.3,
    "forehead": 0.3,
    "eyebrows": 0.42,
    "l-eye": 0.42,
    "l-cheek": 0.5,
    "l-ear": 0.4,
    "neck": 0.3,
}
"""Standard deviation of a pair of opposite targets, by the first word of its name."""
SPECIAL = {
    "head-scale-depth": 0.2,
    "head-scale-horiz": 0.3,
    "head-scale-vert": 0.2,
    "head-angle": 0.12,
    "head-fat": 0.4,
    "head-age": 0.0,
    "forehead-nubian": 0.06,
    "forehead-scale-vert": 0.2,
    "mouth-trans-b": 0.2,
    "mouth-angles": 0.25,
    "head-back-scale-depth": 0.15,
    "nose-point-down": 0.3,
    "chin-height": 0.38,
    "chin-prognathism": 0.25,
    "chin-cleft": 0.35,
    "mouth-scale-depth": 0.25,
    "mouth-lowerlip-width": 0.25,
    "mouth-upperlip-width": 0.25,
    "mouth-dimples": 0.2,
    "mouth-laugh-lines": 0.3,
    "eyebrows-trans-b": 0.25,
    "neck-double": 0.25,
    "l-eye-height1": 0.3,
    "l-eye-height2": 0.3,
    "l-eye-height3": 0.3,
    "l-eye-bag": 0.35,
    "l-eye-epicanthus": 0.25,
    "l-eye-trans-i": 0.4,
    "l-ear-shape": 0.0,
    "nose-greek": 0.35,
}
SPREAD = 0.92
"""All deviations are multiplied by this: more makes caricatures, less makes strangers alike."""
LEFT_OUT = (
    "head-trans",
    "neck-trans",
    "neck-scale-vert",
    "neck-scale-depth",
    "measure-neck-height",
    "nose-trans-in",
    "mouth-trans-in",
    "head-trans",
    "neck-back",
)
OPPOSITES = (
    ("decr", "incr"),
    ("down", "up"),
    ("in", "out"),
    ("backward", "forward"),
    ("concave", "convex"),
    ("compress", "uncompress"),
)
FORMS = (
    "head-oval",
    "head-round",
    "head-square",
    "head-rectangular",
    "head-triangular",
    "head-invertedtriangular",
    "head-diamond",
    "chin-triangle",
)


def pairs(names: tuple[str, ...]) -> list[tuple[str, list[int], list[int], float]]:
    """Pairs of opposite targets: name, targets of the negative side, of the positive side, standard deviation.

    Both sides of the face move together; what differs between them comes from the asymmetry targets.
    """
    number = {name: k for k, name in enumerate(names)}
    out = []
    for name in names:
        for low, high in OPPOSITES:
            stem = name[: -len(low) - 1]
            if not name.endswith("-" + low) or f"{stem}-{high}" not in number or name.startswith(("r-", "asym")):
                continue
            if any(
                stem.startswith(left.rsplit("-in", 1)[0]) and (not left.endswith("-in") or low == "in")
                for left in LEFT_OUT
            ):
                continue
            deviation = next((v for k, v in DEVIATION.items() if stem.startswith(k)), 0.0)
            deviation = next((v for k, v in SPECIAL.items() if f"{stem}-{low}".startswith(k)), deviation)
            if not deviation:
                continue
            sides = [stem, "r" + stem[1:]] if stem.startswith("l-") else [stem]
            out.append(
                (
                    f"{stem}-{low}",
                    [number[f"{s}-{low}"] for s in sides],
                    [number[f"{s}-{high}"] for s in sides],
                    deviation,
                )
            )
    return out


def make_shape(z: torch.Tensor, t: Row, names: tuple[str, ...]) -> torch.Tensor:
    """Weights (n, K) of the targets of identity."""
    number = {name: k for k, name in enumerate(names)}
    out = torch.zeros(len(z), len(names))
    woman, age = t["woman"], t["age"]
    old = ((age - 25) / 65).clamp(0, 1)
    build = uniform(z[:, 50] * 0.75 + 0.1 * old * 4)  # thin to heavy
    muscle = uniform(z[:, 51] * 0.5)
    sides = {"female": woman, "male": 1 - woman}
    ages = {"young": 1 - old, "old": old}
    weights = {
        "minweight": (1 - 2 * build).clamp(0, 1),
        "averageweight": 1 - (2 * build - 1).abs(),
        "maxweight": (2 * build - 1).clamp(0, 1),
    }
    muscles = {
        "minmuscle": (1 - 2 * muscle).clamp(0, 1),
        "averagemuscle": 1 - (2 * muscle - 1).abs(),
        "maxmuscle": (2 * muscle - 1).clamp(0, 1),
    }
    for sex, a in sides.items():
        for years, b in ages.items():
            for ancestry in ANCESTRIES:
                out[:, number[f"{ancestry}-{sex}-{years}"]] = a * b * t[ancestry]
            for m, c in muscles.items():
                for w, d in weights.items():
                    key = f"universal-{sex}-{years}-{m}-{w}"
                    if key in number:
                        out[:, number[key]] = a * b * c * d
    female = (woman - 0.5) * 2  # sexes differ more than the base targets say
    for k, (name, low, high, deviation) in enumerate(pairs(names)):
        calm = (
            torch.where(female > 0, 0.75, 0.95)
            if name.startswith(("chin", "head", "forehead", "nose", "l-cheek", "neck"))
            else torch.full_like(female, 0.9)
        )
        x = z[:, 60 + k].clamp(-2.1, 2.1) * deviation * calm * SPREAD
        for j in low:
            out[:, j] += (-x).clamp(min=0)
        for j in high:
            out[:, j] += x.clamp(min=0)
    for k, form in enumerate(FORMS):
        out[:, number[form]] += 0.4 * (z[:, 250 + k] - 0.6).clamp(0, 1.4) * (0.4 if form == "chin-triangle" else 1.0)
    left = [n for n in names if n.startswith("asym-") and n.endswith("-l") and "ear" not in n]
    for k, name in enumerate(left):
        x = 0.13 * z[:, 270 + k]
        out[:, number[name]] += x.clamp(min=0)
        out[:, number[name[:-1] + "r"]] += (-x).clamp(min=0)
    for name, amount in (
        ("chin-width-decr", 0.25),
        ("chin-bones-decr", 0.3),
        ("mouth-upperlip-volume-incr", 0.25),
        ("mouth-lowerlip-volume-incr", 0.25),
        ("nose-scale-horiz-decr", 0.25),
        ("nose-scale-vert-decr", 0.15),
        ("eyebrows-trans-backward", 0.3),
        ("head-scale-horiz-decr", 0.12),
        ("chin-height-decr", 0.15),
        ("forehead-trans-forward", 0.1),
        ("neck-scale-horiz-decr", 0.4),
        ("chin-prominent-decr", 0.1),
    ):
        out[:, number[name]] += amount * female.clamp(min=0)
    for name, amount in (
        ("chin-bones-incr", 0.25),
        ("chin-height-incr", 0.15),
        ("chin-prominent-incr", 0.15),
        ("nose-scale-horiz-incr", 0.15),
        ("measure-neck-circ-incr", 0.3),
    ):
        out[:, number[name]] += amount * (-female).clamp(min=0)
    out[:, number["mouth-angles-up"]] += 0.2
    for side in ("l", "r"):
        out[:, number[f"{side}-eye-scale-incr"]] += 0.1 + 0.25 * female.clamp(min=0)
        out[:, number[f"{side}-eye-height2-incr"]] += 0.05
    return out
