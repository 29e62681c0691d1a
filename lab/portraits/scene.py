"""How a person is pictured: everything that an edit may change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]

HAIR_STYLES = ("bald", "buzz", "short", "side", "quiff", "curly", "bob", "fringe", "long", "wavy", "afro", "bun",
               "ponytail", "swept")
HATS = ("", "beanie", "cap", "brim", "band")
GLASSES = ("", "round", "square", "half", "sun")
EARRINGS = ("", "stud", "hoop", "drop")
HANDS = ("", "chin", "cheek", "mouth")
CLOTHES = ("crew", "vee", "shirt", "hood", "stripes")
BACKDROPS = ("plain", "gradient", "bokeh", "outdoors", "window", "wall", "shelves")
HAIR_COLOURS: tuple[Colour, ...] = ((.09, .07, .07), (.16, .11, .09), (.28, .18, .12), (.42, .28, .17), (.56, .38, .22),
                                    (.78, .62, .38), (.87, .76, .55), (.50, .22, .11), (.62, .60, .58), (.84, .83, .81))
ELEMENT_FIELDS = ("hat", "glasses", "earrings", "hand", "scarf")


@dataclass(frozen=True)
class Placement:
    """Where the head is. `crop`: framed on the landmarks (scale and shift are jitter around the frame: 1 and 0);
    otherwise `scale` is pixels per head unit as a share of the picture's side and (x, y) the middle of the face as
    shares of width and height. `roll`, `yaw`, `pitch`: radians."""

    crop: bool = True
    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0


@dataclass(frozen=True)
class Scene:
    """One way to picture a person. Colours are sRGB in [0, 1].

    `smile` -1…1, `mouth_open` 0…1, `brow_raise` -1…1, `lids` 0.55…1.15 (share of the usual opening), gaze ±1.
    Light: `light_x` from image-left (-1) to image-right (1), `light_y` from below (-1) to above (1), `light`
    0…1 its share against ambient, `bright` the overall level, `warmth` -1 (blue) … 1 (orange).
    `grain` seeds strands, patterns and noise; `noise` is the sensor's sigma, `blur` in pixels at 128,
    `jpeg` the quality (0: none). `detail` shifts patterns a little, as an editing model repaints them.
    """

    placement: Placement = Placement()
    smile: float = 0.0
    mouth_open: float = 0.0
    brow_raise: float = 0.0
    lids: float = 1.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    light_x: float = 0.3
    light_y: float = 0.4
    light: float = 0.6
    bright: float = 1.0
    warmth: float = 0.0
    hair: str = "short"
    hair_colour: Colour = (.28, .18, .12)
    hair_part: float = 0.3
    hair_volume: float = 0.0
    hat: str = ""
    hat_colour: Colour = (.5, .2, .2)
    glasses: str = ""
    glasses_colour: Colour = (.1, .1, .1)
    earrings: str = ""
    hand: str = ""
    hand_side: int = 1
    scarf: bool = False
    scarf_colour: Colour = (.6, .3, .2)
    clothes: str = "crew"
    clothes_colour: Colour = (.3, .35, .5)
    clothes_second: Colour = (.8, .8, .8)
    backdrop: str = "gradient"
    backdrop_colour: Colour = (.5, .6, .7)
    backdrop_second: Colour = (.3, .35, .4)
    grain: int = 0
    detail: float = 0.0
    noise: float = 0.005
    blur: float = 0.0
    jpeg: int = 92


def colour(rng: np.random.Generator, low: float = 0.08, high: float = 0.92, vivid: float = 0.36) -> Colour:
    """A random colour, mostly of moderate saturation."""
    grey = rng.uniform(low, high)
    tint = rng.uniform(-1.0, 1.0, 3) * vivid * 0.6
    value = np.clip(grey + tint - tint.mean(), low, high)
    return float(value[0]), float(value[1]), float(value[2])


def near_colour(rng: np.random.Generator, base: Colour, spread: float) -> Colour:
    """A colour close to `base`."""
    value = np.clip(np.array(base) + rng.normal(0.0, spread, 3), 0.02, 0.97)
    return float(value[0]), float(value[1]), float(value[2])


def pick(rng: np.random.Generator, options: tuple[str, ...], chance: float) -> str:
    """One of `options[1:]` with probability `chance`, else `options[0]` (none)."""
    return str(rng.choice(options[1:])) if rng.random() < chance else options[0]


def clipped(rng: np.random.Generator, sigma: float, limit: float, middle: float = 0.0) -> float:
    """A normal value around `middle`, cut at ± `limit` from it."""
    return middle + float(np.clip(rng.normal(0.0, sigma), -limit, limit))


def sample_placement(rng: np.random.Generator) -> Placement:
    """A placement in a picture wider than the crop: face anywhere reasonable, roll up to ±25°."""
    return Placement(False, 0.5 + clipped(rng, 0.05, 0.11), 0.52 + clipped(rng, 0.04, 0.08),
                     float(rng.uniform(0.160, 0.172)), clipped(rng, 0.14, 0.43), clipped(rng, 0.18, 0.36),
                     clipped(rng, 0.09, 0.2))


def sample_scene(rng: np.random.Generator, *, elements: bool = True, placement: Placement | None = None) -> Scene:
    """Draw a scene. `elements`: allow hat, glasses, earrings, hand and scarf; `placement`: use this one."""
    chance = 1.0 if elements else 0.0
    teeth = rng.random() < 0.3
    return Scene(
        placement=placement or sample_placement(rng),
        smile=clipped(rng, 0.45, 0.8, 0.15), mouth_open=float(rng.uniform(0.2, 1.0)) if teeth else 0.0,
        brow_raise=clipped(rng, 0.4, 1.0), lids=float(rng.uniform(0.78, 1.12)),
        gaze_x=clipped(rng, 0.35, 0.9), gaze_y=clipped(rng, 0.25, 0.6),
        light_x=float(rng.uniform(-1.1, 1.1)), light_y=float(rng.uniform(-0.1, 0.8)),
        light=float(rng.uniform(0.4, 0.85)), bright=float(rng.uniform(0.85, 1.1)), warmth=clipped(rng, 0.45, 1.0),
        hair=str(rng.choice(HAIR_STYLES)),
        hair_colour=near_colour(rng, HAIR_COLOURS[int(rng.integers(len(HAIR_COLOURS)))], 0.02),
        hair_part=float(rng.uniform(0.15, 0.6) * rng.choice((-1, 1))), hair_volume=clipped(rng, 0.5, 1.0),
        hat=pick(rng, HATS, 0.16 * chance), hat_colour=colour(rng, 0.08, 0.85),
        glasses=pick(rng, GLASSES, 0.2 * chance), glasses_colour=colour(rng, 0.04, 0.4, 0.4),
        earrings=pick(rng, EARRINGS, 0.16 * chance), hand=pick(rng, HANDS, 0.06 * chance),
        hand_side=int(rng.choice((-1, 1))), scarf=bool(rng.random() < 0.08 * chance),
        scarf_colour=colour(rng, 0.1, 0.85), clothes=str(rng.choice(CLOTHES)), clothes_colour=colour(rng, 0.06, 0.9),
        clothes_second=colour(rng, 0.1, 0.95), backdrop=str(rng.choice(BACKDROPS)),
        backdrop_colour=colour(rng, 0.15, 0.92), backdrop_second=colour(rng, 0.1, 0.85),
        grain=int(rng.integers(2**31)), noise=float(rng.uniform(0.0, 0.008)),
        blur=float(rng.uniform(0.0, 0.45)) if rng.random() < 0.3 else 0.0,
        jpeg=int(rng.integers(82, 97)) if rng.random() < 0.6 else 0)


def crop_scene(rng: np.random.Generator) -> Scene:
    """A scene in the portrait-crop framing, jittered: roll ±6°, scale ±8 %, shift ±4 %."""
    placement = Placement(True, float(rng.uniform(-0.04, 0.04)), float(rng.uniform(-0.04, 0.04)),
                          float(rng.uniform(0.92, 1.08)), float(rng.uniform(-0.104, 0.104)), clipped(rng, 0.18, 0.38),
                          clipped(rng, 0.09, 0.2))
    return sample_scene(rng, placement=placement)
