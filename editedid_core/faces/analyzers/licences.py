"""Who made the weights that analyzers use, and what their licences allow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WeightsLicence:
    """vendor: who trained the weights. terms: one sentence for the user."""

    vendor: str
    terms: str


_RESEARCH = "for non-commercial research only, as all face models published by insightface"

INSIGHTFACE_PACKS = {
    "antelopev2": WeightsLicence("insightface", _RESEARCH),
    "buffalo_l": WeightsLicence("insightface", _RESEARCH),
    "buffalo_m": WeightsLicence("insightface", _RESEARCH),
    "buffalo_s": WeightsLicence("insightface", _RESEARCH),
    "buffalo_sc": WeightsLicence("insightface", _RESEARCH),
    "auraface": WeightsLicence("fal", "Apache-2.0, commercial use allowed"),
    "lab": WeightsLicence("this pack's lab", "GPL-3.0, trained on drawn portraits only"),
}

DLIB_WEIGHTS = WeightsLicence(
    "dlib (Davis King)",
    "detection and recognition are public domain (CC0); the 68-point landmarks were trained on iBUG 300-W, "
    "whose authors ask to be contacted before commercial use",
)

DLIB_RECOGNISER = WeightsLicence("dlib (Davis King)", "the recogniser is public domain (CC0), commercial use allowed")

_UNKNOWN = WeightsLicence("unknown", "licence unknown: ask whoever published the pack")


def pack_licence(pack: str) -> WeightsLicence:
    """Licence of an insightface pack by the name of its folder; says so where it is not known."""
    return INSIGHTFACE_PACKS.get(pack.lower(), _UNKNOWN)
