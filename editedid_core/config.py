"""The one configuration of a restoration. Every default stands here once, with its source.

Nodes, demo and benchmarks reach the same runner with a `RestoreConfig`. A path names a field, as in `crop.relight`.
*Drawn* marks numbers that were set on drawn people alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .choices import one_of
from .crops.cut import Alignment
from .engines.edited_id.attention.settings import Disentangle, Entangle
from .engines.edited_id.settings import SampleSettings
from .engines.super_resolution.settings import SuperResolution, TokenFit
from .faces.detect import Order
from .faces.match import DOUBT, SAME_PERSON, Choice
from .masks.part_weights import PartWeights

EngineName = Literal["edited id", "composite", "super resolution"]
Quality = Literal["fast", "standard", "best"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)
_PRESETS: dict[Quality, dict[str, Any]] = {"fast": {"sampling.steps": 1, "tries": 1}, "best": {"tries": 4}}
"""What a quality sets. Drawn: a step is three evaluations a face; four tries at ten steps and strength 0.5 are 60."""
NoFace = Literal["error", "pass through"]
NO_FACE: tuple[NoFace, ...] = get_args(NoFace)


@dataclass(frozen=True)
class FindConfig:
    """threshold: least score of a face, 0 to 1. min_face: least side of its box in pixels. order: of the faces in a
    picture. no_face: what happens if a picture holds none."""

    threshold: float = 0.5
    min_face: int = 0
    order: Order = "left-right"
    no_face: NoFace = "error"


@dataclass(frozen=True)
class MatchConfig:
    """min_similarity: least likeness (cosine) of a pair, -1 to 1. position_weight: how much place counts beside
    likeness when faces are paired, 0 to 1 (drawn groups). same_person: likeness from which two photos show one person.
    photos: which of several photos of a person is used. pairs: the user's own choice of who is who (pairs_text.py).
    doubt: likeness by which a pair must be ahead of its rivals, or it is marked (drawn)."""

    min_similarity: float = 0.2
    position_weight: float = 0.25
    same_person: float = SAME_PERSON
    photos: Choice = "likest"
    pairs: str = ""
    doubt: float = DOUBT


@dataclass(frozen=True)
class ShapeConfig:
    """face_shape: how far the edit's features and outline move to where the person has them, 0 to 1, as far as the
    shape model knows the two faces: it was learnt on drawn people and leaves photographed faces as they are.
    skin_tone: how far the skin takes the photo's tone, 0 to 1."""

    face_shape: float = 1.0
    skin_tone: float = 0.0


@dataclass(frozen=True)
class CropConfig:
    """size: side of the crops in pixels; None is the size that the model was made for, or without a model what suits
    the largest face. relight: how far the original takes the edit's light, 0 to 1. auto_elements:
    how readily things over a face are found, 0 to 2 (drawn). keep_elements: leave them out of the paste.

    For comparison: piecewise: bend the original to the edit's landmarks where there is no mesh. alignment: of the
    original onto the edit; "mesh" is "features" where a face has no mesh. whole_features: keep each feature wholly the
    edit's or wholly the person's. match_sharpness: make the original as sharp as the edit.
    """

    size: int | None = None
    relight: float = 1.0
    auto_elements: float = 1.4
    keep_elements: bool = True
    piecewise: bool = False
    alignment: Alignment = "mesh"
    whole_features: bool = True
    match_sharpness: bool = True


@dataclass(frozen=True)
class GuardConfig:
    """enabled: keep the edit's face where the restored one is no better. least_gain: likeness (cosine) that a face must
    gain: below 0.05 it is chance (38 pairs of photographs, 2026-10: of faces that two other recognisers found further
    from the person, three of four had gained less). enough: share of the likeness still missing to 1 that is enough
    instead, for an edit that is near the person already. most_moved: landmark error in eye distances above which a
    restoration has come apart (drawn). retry_shapes: shares of the new shape that are tried if the guard refuses all of
    it. retry_gain: likeness that a retry must gain, because a second try is lucky more often (drawn)."""

    enabled: bool = True
    least_gain: float = 0.05
    enough: float = 0.25
    most_moved: float = 0.2
    retry_shapes: tuple[float, ...] = (0.5, 0.0)
    retry_gain: float = 0.06


@dataclass(frozen=True)
class FramesConfig:
    """enabled: the edit's pictures are frames of one sequence. smooth: standard deviation in frames of the smoothing of
    a face's place (drawn). longest_gap: frames in which a face may be missed. steady: standard deviation in frames of
    the smoothing of what stays the edit's (drawn)."""

    enabled: bool = False
    smooth: float = 1.5
    longest_gap: int = 3
    steady: float = 2.0


@dataclass(frozen=True)
class PasteConfig:
    """feather: width of the soft edge in parts of the crop's side. colour: how far the crop takes the edit's low
    frequencies, 0 to 1."""

    feather: float = 0.03
    colour: float = 0.0


@dataclass(frozen=True)
class RestoreConfig:
    """Everything that a restoration depends on, except its pictures, its model and its analyzer.

    engine: what restores a crop. parts: how much of each part of a face comes from the photo. sampling, entangle,
    disentangle: EditedID's run. super_resolution: that engine's. token_fit: how a person's tokens are fitted.
    strength_by_drift: how far strength follows the drift of a face, 0 to 1. detail: share of the autoencoder's lost
    detail that is given back, 0 to 1. prompt: words for every face where no conditioning is given; "" is the model's
    true empty prompt. quality: one choice that sets others (`resolved`). tries: different runs of each face, of which
    the best is taken; most_evaluations: a face gets no further try that would lead past so many.
    """

    engine: EngineName = "edited id"
    find: FindConfig = field(default_factory=FindConfig)
    match: MatchConfig = field(default_factory=MatchConfig)
    shape: ShapeConfig = field(default_factory=ShapeConfig)
    crop: CropConfig = field(default_factory=CropConfig)
    parts: PartWeights = field(default_factory=PartWeights)
    sampling: SampleSettings = field(default_factory=SampleSettings)
    entangle: Entangle = field(default_factory=Entangle)
    disentangle: Disentangle = field(default_factory=Disentangle)
    super_resolution: SuperResolution = field(default_factory=SuperResolution)
    token_fit: TokenFit = field(default_factory=TokenFit)
    strength_by_drift: float = 0.0
    detail: float = 1.0
    prompt: str = ""
    quality: Quality = "standard"
    tries: int = 1
    most_evaluations: int = 60
    guard: GuardConfig = field(default_factory=GuardConfig)
    frames: FramesConfig = field(default_factory=FramesConfig)
    paste: PasteConfig = field(default_factory=PasteConfig)

    def resolved(self) -> RestoreConfig:
        """The same with what `quality` sets: "fast" takes one step, "best" the best of several tries, "standard" leaves
        all as it is."""
        return self.changed(_PRESETS.get(self.quality, {}))

    def to_json(self) -> str:
        """All fields as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> RestoreConfig:
        """A configuration from (some of) its fields. Raises ValueError, naming the field, if one does not fit."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ValueError("The configuration is not JSON: start from the output of to_json().") from error
        return _merged(RestoreConfig(), values, "")

    def changed(self, values: Mapping[str, Any]) -> RestoreConfig:
        """A configuration with other values at some paths, such as {"crop.relight": 0}. Raises ValueError as
        from_json()."""
        nested: dict[str, Any] = {}
        for path, value in values.items():
            *parents, last = path.split(".")
            place = nested
            for name in parents:
                place = place.setdefault(name, {})
            place[last] = value
        return _merged(self, nested, "")

    def value(self, path: str) -> Any:
        """The value at a path. Raises ValueError if there is no such field."""
        found: Any = self
        for name in path.split("."):
            if not dataclasses.is_dataclass(found) or name not in {f.name for f in dataclasses.fields(found)}:
                raise ValueError(f"The configuration has no field {path}.")
            found = getattr(found, name)
        return found


D = TypeVar("D")


def _merged(base: D, values: Any, path: str) -> D:
    """A dataclass with the fields of a JSON object in place of its own."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{path or 'The configuration'} must be an object with named fields, got {values!r}.")
    hints = get_type_hints(type(base))
    fresh = {}
    for name, value in values.items():
        here = f"{path}.{name}" if path else str(name)
        if name not in hints:
            raise ValueError(f"The configuration has no field {here}; there are {', '.join(hints)}.")
        own = getattr(base, name)
        fresh[name] = _merged(own, value, here) if dataclasses.is_dataclass(own) else _fitted(value, hints[name], here)
    return dataclasses.replace(base, **fresh)  # type: ignore[type-var]


def _fitted(value: Any, kind: Any, path: str) -> Any:
    """A JSON value as the type that a field has."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return one_of(value, arguments, path)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        (kind,) = (a for a in arguments if a is not NoneType)
        return _fitted(value, kind, path)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{path} must be a list, got {value!r}.")
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            raise ValueError(f"{path} must hold {len(kinds)} values, got {len(value)}.")
        return tuple(_fitted(one, each, path) for one, each in zip(value, kinds))
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, kind):
        raise ValueError(f"{path} must be {kind.__name__}, got {value!r}.")
    return value


SMALL_FACE = RestoreConfig().changed({
    "engine": "super resolution", "shape.face_shape": 0.0, "match.photos": "all together", "crop.relight": 0.0,
    "crop.auto_elements": 0.0, "crop.piecewise": True, "crop.whole_features": False, "crop.match_sharpness": False,
})
"""The preset of a super-resolution: photos are laid over the small face as they are, for there is nothing in it to
compare them with."""
