"""Words for what a picture shows, from who and how."""

from __future__ import annotations

from .expressions import EXPRESSIONS, UNITS
from .people import People
from .scenes import LIGHTS, STYLES, Scenes

LONG = ("bob", "bob side", "long", "ponytail", "curls")
CURLY = ("afro", "curls")


def words(people: People, scenes: Scenes) -> list[list[str]]:
    """A list of tags for each picture."""
    return [_words(people, scenes, k) for k in range(len(people))]


def _words(people: People, scenes: Scenes, k: int) -> list[str]:
    trait = {
        name: float(people.trait(name)[k])
        for name in (
            "woman",
            "age",
            "melanin",
            "hair_melanin",
            "hair_red",
            "grey",
            "bald",
            "freckles",
            "make_up",
            "moustache",
            "curl",
        )
    }
    v = {
        name: scenes.values[name][k]
        for name in (
            "style",
            "hat",
            "glasses",
            "sunglasses",
            "scarf",
            "earring",
            "yaw",
            "pitch",
            "azimuth",
            "expression",
            "beard",
            "light",
            "units",
            "gaze",
        )
    }
    style = STYLES[int(v["style"])]
    out = ["woman" if trait["woman"] > 0.5 else "man"]
    out += ["young"] if trait["age"] < 32 else (["old"] if trait["age"] > 58 else [])
    if trait["bald"] > 0.5 or style == "shaved":
        out.append("bald")
    else:
        grey = trait["grey"] > 0.55
        red = trait["hair_red"] > 0.65 and trait["hair_melanin"] < 0.85
        out.append(
            "grey hair"
            if grey
            else "red hair"
            if red
            else "dark hair"
            if trait["hair_melanin"] > 0.82
            else "brown hair"
            if trait["hair_melanin"] > 0.55
            else "blond hair"
        )
        out.append("long hair" if style in LONG else "short hair")
        if style in CURLY or (trait["curl"] > 0.6 and style not in ("buzz", "crop", "ponytail")):
            out.append("curly hair")
    beard = float(v["beard"])
    out += ["beard"] if beard > 0.4 else (["stubble"] if beard > 0.1 else [])
    for name, shown in (
        ("glasses", bool(v["glasses"]) and not bool(v["sunglasses"])),
        ("sunglasses", bool(v["sunglasses"])),
        ("hat", int(v["hat"]) > 0),
        ("cap", int(v["hat"]) == 2),
        ("scarf", bool(v["scarf"])),
        ("earrings", bool(v["earring"])),
        ("freckles", trait["freckles"] > 0.35),
        ("make-up", trait["make_up"] > 0.5),
    ):
        if shown:
            out.append(name)
    mood = list(EXPRESSIONS)[int(v["expression"])]
    unit = dict(zip(UNITS, v["units"].tolist()))
    smile = 0.5 * (unit["mouthSmileLeft"] + unit["mouthSmileRight"])
    if smile > 0.28:
        out.append("laughing" if mood == "laugh" and unit["jawOpen"] > 0.05 else "smiling")
    out += ["mouth open"] if unit["jawOpen"] > 0.09 else []
    out += ["frowning"] if unit["browDownLeft"] > 0.3 else []
    out += ["surprised"] if mood == "surprise" and unit["browInnerUp"] > 0.25 else []
    out += ["eyes closed"] if unit["eyeBlinkLeft"] > 0.7 else []
    turn = float(v["yaw"] - v["azimuth"])
    out += ["turned right"] if turn > 13 else (["turned left"] if turn < -13 else [])
    out += ["head down"] if float(v["pitch"]) > 9 else (["head up"] if float(v["pitch"]) < -8 else [])
    out += ["looking aside"] if abs(float(v["gaze"][0]) + turn * 0.9) > 14 else []
    out.append("light skin" if trait["melanin"] < 0.22 else "brown skin" if trait["melanin"] < 0.52 else "dark skin")
    light = LIGHTS[int(v["light"])]
    out.append(
        {
            "studio": "studio",
            "window": "indoors",
            "room": "indoors",
            "overcast": "outdoors",
            "sun": "outdoors",
            "night": "night",
        }[light]
    )
    return out
