"""Rendered pictures for the judges, cached as arrays, and their random views."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from .. import portraits
from ..portraits.head import parallax
from ..portraits.render import scene_camera
from ..portraits.shape import face_shape
from . import dataset
from .parallel import spread
from .warp import ARCFACE_POINTS, fit_similarity, invert, warp

SEED_SPACE = 7_000_000
"""Judges draw their people from seeds of their own, away from every split's."""

MOST_FACES = 6


@dataclass(frozen=True)
class Faces:
    """Faces on training canvases: boxes (B, F, 4), points (B, F, 5, 2), kind (B, F): 1 face, 0 none, -1 cut off."""

    boxes: Tensor
    points: Tensor
    kind: Tensor


@dataclass(frozen=True, eq=False)
class Views:
    """Training canvases (B, S, S, 3) uint8 and their faces, as the fields of Faces."""

    canvas: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    kind: np.ndarray

    def faces(self, device: torch.device) -> Faces:
        boxes, points, kind = (torch.from_numpy(part).to(device) for part in (self.boxes, self.points, self.kind))
        return Faces(boxes, points, kind)


def face_box(points: np.ndarray) -> np.ndarray:
    """The box (xyxy) of a face from its five points: that of an ellipse round them, leaning with the face."""
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    across, down = points[1] - points[0], mouth - eyes
    unit = max(np.linalg.norm(across), 0.9 * np.linalg.norm(down))
    lean = np.arctan2(across[1], across[0])
    half_width, half_height = 1.15 * unit, 1.5 * unit
    middle = eyes + 0.4 * down
    reach_x = np.hypot(half_width * np.cos(lean), half_height * np.sin(lean))
    reach_y = np.hypot(half_width * np.sin(lean), half_height * np.cos(lean))
    return np.array([middle[0] - reach_x, middle[1] - reach_y, middle[0] + reach_x, middle[1] + reach_y], np.float32)


def degrade(picture: np.ndarray, rng: np.random.Generator, colour: float) -> np.ndarray:
    """What happens to pictures on their way: exposure and tint, softness, a coarse stretch, noise, JPEG. uint8 RGB."""
    if rng.random() < 0.5:
        gain = rng.uniform(1 - colour, 1 + colour, 3) * rng.uniform(1 - colour, 1 + colour)
        gamma = rng.uniform(1 - colour, 1 + colour)
        curve = np.clip((np.arange(256)[:, None] / 255) ** gamma * gain * 255, 0, 255).astype(np.uint8)
        picture = cv2.LUT(picture, curve[None])
    chance = rng.random()
    if chance < 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.2))
    elif chance < 0.35:
        height, width = picture.shape[:2]
        part = rng.uniform(0.45, 0.9)
        small = cv2.resize(picture, (int(width * part), int(height * part)), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(1, 7))
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
        picture = np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR))
    return picture


@dataclass(frozen=True, eq=False)
class PictureBank:
    """Pictures with people: ``pictures`` (uint8, H, W, 3, any size) and the points (F, 5, 2) of each one's faces.

    Every other view is drawn from the first ``wide`` pictures, which are fewer than the portrait crops behind them.
    """

    pictures: list[np.ndarray]
    points: list[np.ndarray]
    wide: int

    def joined(self, people: PeopleSet) -> PictureBank:
        """This bank and every portrait of ``people``."""
        crops = np.asarray(people.pictures).reshape(-1, *people.pictures.shape[2:])
        points = self.points + list(people.points.reshape(-1, 1, 5, 2))
        return PictureBank(self.pictures + list(crops), points, self.wide)

    def draw(self, rng: np.random.Generator, batch: int, side: int) -> Views:
        """``batch`` square views and their faces, 18 px to nearly the whole side."""
        canvas = np.empty((batch, side, side, 3), np.uint8)
        boxes, points = np.zeros((batch, MOST_FACES, 4), np.float32), np.zeros((batch, MOST_FACES, 5, 2), np.float32)
        kind = np.zeros((batch, MOST_FACES), np.float32)
        for row in range(batch):
            canvas[row], seen = self._view(rng, side)
            for place, face in enumerate(seen[:MOST_FACES]):
                box = face_box(face)
                inside = (face.min() >= 0) and (face.max() <= side - 1)
                touching = box[2] > 0 and box[3] > 0 and box[0] < side and box[1] < side
                boxes[row, place], points[row, place] = box, face
                kind[row, place] = 1 if inside else -1 if touching else 0
        return Views(canvas, boxes, points, kind)

    def _view(self, rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
        index = int(rng.integers(len(self.pictures) if rng.random() < 0.5 else self.wide))
        picture, faces = self.pictures[index], self.points[index]
        box = face_box(faces[rng.integers(len(faces))])
        size = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        least = max(18.0, (0.3 if rng.random() < 0.5 else 0.12) * side)
        scale = np.exp(rng.uniform(np.log(least), np.log(0.95 * side))) / size
        turn = rng.normal(0, 0.22) if rng.random() < 0.6 else 0.0
        cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
        linear = np.array([[cosine, -sine], [sine, cosine]])
        room = max(side - scale * size, 0.0)
        goal = side / 2 + rng.uniform(-0.5, 0.5, 2) * (room + 0.2 * scale * size)
        middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
        matrix = np.concatenate([linear, (goal - linear @ middle)[:, None]], 1)
        border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_CONSTANT
        fill = tuple(float(v) for v in rng.integers(0, 256, 3)) if rng.random() < 0.3 else (0.0, 0.0, 0.0)
        if scale < 0.6:
            picture = cv2.GaussianBlur(picture, (0, 0), 0.35 / scale)
        view = cv2.warpAffine(picture, matrix, (side, side), borderMode=border, borderValue=fill)
        faces = faces @ linear.T + matrix[:, 2]
        if rng.random() < 0.5:
            view = np.ascontiguousarray(view[:, ::-1])
            faces = faces * (-1, 1) + (side - 1, 0)
            faces = faces[:, [1, 0, 2, 4, 3]]
        return degrade(view, rng, 0.2), faces.astype(np.float32)


@dataclass(frozen=True, eq=False)
class PeopleSet:
    """Portrait crops of many people: pictures (P, S, 128, 128, 3) uint8, points (P, S, 5, 2), identity (P, D).

    Person ``i`` of the first half has a near look-alike: person ``i + P/2``, drifted from them.
    """

    pictures: np.ndarray
    points: np.ndarray
    identity: np.ndarray

    def draw(self, rng: np.random.Generator, person: np.ndarray, scene: np.ndarray, clean: bool = False) -> Tensor:
        """Aligned crops (B, 3, 112, 112) in [-1, 1], as insightface's norm_crop makes them from shaky points."""
        pictures, points = self.pictures[person, scene], self.points[person, scene].astype(np.float32)
        if not clean:
            pictures = np.stack([degrade(p, rng, 0.04) if rng.random() < 0.6 else p for p in pictures])
            eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=-1)[:, None, None]
            points = points + eyes * rng.normal(0, 0.01, (len(points), 1, 2))
            points = points + eyes * rng.normal(0, 0.012, points.shape)
        points = torch.from_numpy(points.astype(np.float32))
        matrix = fit_similarity(points, torch.from_numpy(ARCFACE_POINTS).expand(len(points), -1, -1))
        image = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
        # norm_crop leaves black where the picture ends
        return warp(image + 1, invert(matrix), 112) - 1


def _bytes(image: np.ndarray) -> np.ndarray:
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _person(number: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures, points and identity of the person (half, index, scenes, seed); half 1 is the look-alike."""
    half, index, scenes, seed = number
    rng = np.random.default_rng((SEED_SPACE, seed, index))
    person = portraits.sample_identity(rng)
    if half:
        drift = portraits.DRIFT_DISTANCE[portraits.DRIFTS[index % len(portraits.DRIFTS)]]
        person = portraits.drift_identity(person, drift, rng)
    rng = np.random.default_rng((SEED_SPACE + 1 + half, seed, index))
    shots = [portraits.render(person, portraits.crop_scene(rng), size=128) for _ in range(scenes)]
    points = np.stack([shot.landmarks for shot in shots])
    return np.stack([_bytes(shot.image) for shot in shots]), points, person.vector()


def people(cache: Path, count: int, scenes: int, seed: int, workers: int = 0) -> PeopleSet:
    """``count`` persons and as many look-alikes in ``scenes`` scenes each, rendered once and kept in ``cache``."""
    files = [cache / f"people_{count}_{scenes}_{seed}_{part}.npy" for part in ("pictures", "points", "identity")]
    if not files[-1].is_file():  # the last one written
        numbers = [(half, index, scenes, seed) for half in range(2) for index in range(count)]
        pictures, points, identity = zip(*spread(_person, numbers, workers))
        cache.mkdir(parents=True, exist_ok=True)
        for file, parts, kind in zip(files, (pictures, points, identity), (np.uint8, np.float32, np.float32)):
            np.save(file, np.stack(parts).astype(kind, copy=False))
    return PeopleSet(np.load(files[0], mmap_mode="r"), np.load(files[1]), np.load(files[2]))


def _crop_person(person: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (S, 5, 2) and identity of a person of the cache of ``lab.train.dataset``."""
    who = portraits.sample_identity(np.random.default_rng([dataset.TRAIN_SEED, person]))
    points = np.empty((dataset.SCENES, 5, 2), np.float32)
    for shot in range(dataset.SCENES):
        scene = portraits.crop_scene(np.random.default_rng([dataset.TRAIN_SEED, person, 1 + shot]))
        face = face_shape(who, scene)
        camera = scene_camera(face, scene, dataset.SIZE, dataset.SIZE, dataset.SIZE)
        points[shot] = camera.points(parallax(face, camera).five())
    return points, who.vector()


def crop_people(crops: Path, most: int | None = None, workers: int = 0) -> PeopleSet:
    """The (first ``most``) persons of the cache that ``lab.train.dataset`` renders, no look-alikes among them."""
    pictures = dataset.open_cache(crops).train
    count = min(len(pictures) // dataset.SCENES, most or len(pictures))
    points, identity = zip(*spread(_crop_person, range(count), workers))
    shape = (count, dataset.SCENES, dataset.SIZE, dataset.SIZE, 3)
    shots = pictures[:count * dataset.SCENES].reshape(shape)
    return PeopleSet(shots, np.stack(points), np.stack(identity).astype(np.float32))


def bank(cache: Path, count: int, seed: int, workers: int = 0) -> PictureBank:
    """About ``count`` pictures: portraits anywhere in the picture, portrait crops, groups of 2 to 5 people."""
    pixels, shapes = (cache / f"bank_{count}_{seed}_{part}" for part in ("pixels.npy", "shapes.npz"))
    if not shapes.is_file():
        entries = [entry for some in spread(_entries, [(index, seed) for index in range(count)], workers)
                   for entry in some]
        cache.mkdir(parents=True, exist_ok=True)
        np.save(pixels, np.concatenate([picture.ravel() for picture, _ in entries]))
        sides = np.array([picture.shape[:2] for picture, _ in entries])
        held = np.array([len(faces) for _, faces in entries])
        np.savez(shapes, sides=sides, held=held, points=np.concatenate([faces for _, faces in entries]))
    with np.load(shapes) as data:
        sides, ends, points = data["sides"], np.cumsum(data["held"])[:-1], data["points"]
    parts = np.split(np.load(pixels), np.cumsum(sides.prod(1) * 3)[:-1])
    pictures = [part.reshape(height, width, 3) for part, (height, width) in zip(parts, sides)]
    return PictureBank(pictures, np.split(points, ends), len(pictures))


def _entries(number: tuple[int, int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """One picture and its faces' points, or for every twelfth index a group twice (drifted and true)."""
    index, seed = number
    rng = np.random.default_rng((SEED_SPACE, seed, index))
    if index % 12 == 0:
        size = int(rng.integers(160, 257))
        group = portraits.group_picture(int(rng.integers(2**31)), int(rng.integers(2, 6)), size=size)
        return [(_bytes(picture.image), np.stack([one.landmarks for one in picture.people]))
                for picture in (group.edited, group.truth)]
    scene = portraits.crop_scene(rng) if rng.random() < 0.25 else portraits.sample_scene(rng)
    size = int(rng.choice([128, 192, 192, 192, 256, 384]))
    shot = portraits.render(portraits.sample_identity(rng), scene, size=size)
    return [(_bytes(shot.image), shot.landmarks[None])]
