"""The judges of the rendered world, trained on the device from the bank: recognisers, critic, landmarks, detector.

Networks and losses are those of the drawn world's judges; crops, damage and views are made on the device in batches.
"""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from editedid_core.geometry.landmarks import MIRRORED

from .detector import detector_loss
from .judge_data import Faces
from .judge_nets import LANDMARKS, Critic, DenseLandmarks, Detector, Embedder, Regressor
from .loop import placed, settle
from .optim import Learner
from .recogniser import contrastive
from .warp import ARCFACE_POINTS, fit_similarity, invert, move_points, warp
from .world_bank import SHOTS, Bank, mixed
from .world_damage import composite, crop_maps
from .world_models import Means

JUDGES = ("recogniser_a", "recogniser_b", "critic", "landmarks", "detector")
SETTLED = 0.6
"""From this share of the time on, batch norms keep their averages."""
SIDES = (320, 192, 448, 320, 128, 640)
"""Sides of the detector's canvases, drawn in turn."""


def five_points(points: Tensor) -> Tensor:
    """Middles of the eyes, tip of the nose, corners of the mouth (B,5,2) of 68 points (B,68,2)."""
    return torch.stack([points[:, 36:42].mean(1), points[:, 42:48].mean(1), points[:, 30], points[:, 48],
                        points[:, 54]], 1)


def face_boxes(five: Tensor) -> Tensor:
    """Boxes (B,4) of faces (B,5,2): those of `judge_data.face_box`."""
    eyes, mouth = five[:, :2].mean(1), five[:, 3:].mean(1)
    across, down = five[:, 1] - five[:, 0], mouth - eyes
    size = torch.maximum(across.norm(dim=1), 0.9 * down.norm(dim=1))
    lean = torch.atan2(across[:, 1], across[:, 0])
    half = torch.stack((1.15 * size, 1.5 * size), 1)
    cosine, sine = lean.cos(), lean.sin()
    reach = torch.stack((torch.hypot(half[:, 0] * cosine, half[:, 1] * sine),
                         torch.hypot(half[:, 0] * sine, half[:, 1] * cosine)), 1)
    middle = eyes + 0.4 * down
    return torch.cat((middle - reach, middle + reach), 1)


def chance(count: int, share: float, like: Tensor) -> Tensor:
    """(count,1,1,1) ones and zeros, ones with this probability."""
    return (torch.rand(count, 1, 1, 1, device=like.device) < share).to(like)


def worn(x: Tensor, colour: float) -> Tensor:
    """Pictures (B,3,H,W) in [0,1] as they arrive: exposure and tint, gamma, softness, a coarse stretch, noise."""
    n = len(x)

    def spread(*shape: int) -> Tensor:
        return 1 + colour * (2 * torch.rand(n, *shape, 1, 1, device=x.device) - 1)

    x = torch.lerp(x, (x.clamp(1e-4, 1) ** spread(1) * spread(3) * spread(1)).clamp(0, 1), chance(n, 0.5, x))
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.lerp(x, soft, chance(n, 0.3, x) * torch.rand(n, 1, 1, 1, device=x.device))
    part = 0.45 + 0.5 * float(torch.rand(()))
    small = F.interpolate(x, scale_factor=part, mode="bilinear", antialias=True)
    coarse = F.interpolate(small, x.shape[2:], mode="bilinear")
    x = torch.lerp(x, coarse, chance(n, 0.2, x))
    noise = 0.03 * torch.rand(n, 1, 1, 1, device=x.device) * chance(n, 0.3, x)
    return (x + noise * torch.randn_like(x)).clamp(0, 1)


class JudgeJob:
    """A small network and the loss of a step."""

    def __init__(self, network: nn.Module, bank: Bank, batch: int, rate: float = 0.02) -> None:
        self.network: Any = placed(network, torch.device(bank.device)).train()
        self.bank, self.batch, self.losses = bank, batch, Means()
        large = [p for p in self.network.parameters() if p.ndim > 1]
        self.learner = Learner(self.network, [{"params": large, "pieces": 1}], rate, 100)

    def step(self, progress: float) -> None:
        if progress > SETTLED:
            settle(self.network)
        self.losses.add(self.learner.learn(self.loss(), progress))

    def loss(self) -> Tensor:
        raise NotImplementedError

    def told(self) -> str:
        return self.losses.told()

    def result(self) -> dict[str, Any]:
        """The weights as they are (batch norms go with them, not with their average), in half precision."""
        state = {k: v.detach().half().cpu() if v.is_floating_point() else v.cpu()
                 for k, v in self.network.state_dict().items()}
        return {"kind": "judge", "steps": self.learner.steps, "told": self.told(), "state": state}

    def pictures(self, rows: Tensor) -> Tensor:
        return self.bank.pictures[rows].float() / 255

    def some_rows(self, crops: bool = False) -> Tensor:
        """Random pictures, or random ones in the crop's framing."""
        rows = torch.randint(self.bank.filled, (self.batch,), device=self.bank.device)
        return rows // SHOTS * SHOTS + rows % (SHOTS - 1) if crops else rows


class RecogniserJob(JudgeJob):
    """A learns from persons of even number, B from odd ones; half of each batch are look-alikes of the other half.

    A reads the identity's coefficients off the face where the world tells them, and tells people apart; B does the
    latter only.
    """

    def __init__(self, kind: str, bank: Bank, batch: int) -> None:
        assert bank.identity is not None
        self.kind, self.known = kind, bank.identity.shape[1] if kind == "a" else 0
        super().__init__(Regressor(self.known or 96) if kind == "a" else Embedder(), bank, batch)

    def loss(self) -> Tensor:
        bank, each = self.bank, SHOTS - 1
        count, quarter = max(4, self.batch // each), bank.persons // 4
        odd = self.kind == "b"
        first = self._some(count // 2, quarter // 2) * 2 + odd
        twins = first + bank.persons - quarter
        rest = self._some(count - 2 * len(first), (bank.persons - quarter) // 2) * 2 + odd
        person = torch.cat((first, twins, rest)).repeat_interleave(each)
        shot = torch.rand(len(person) // each, SHOTS, device=bank.device).argsort(1)[:, :each].flatten()
        rows = person * SHOTS + shot
        five = five_points(bank.points[rows])
        eyes = (five[:, 1] - five[:, 0]).norm(dim=1)[:, None, None].clamp(min=1)
        five = five + eyes * (0.01 * torch.randn_like(five[:, :1]) + 0.012 * torch.randn_like(five))
        to_crop = fit_similarity(five, torch.from_numpy(ARCFACE_POINTS).to(five).expand(len(five), -1, -1))
        crops = warp(worn(self.pictures(rows), 0.06), invert(to_crop), 112) * 2 - 1
        with mixed(crops):
            output = self.network(crops.contiguous(memory_format=torch.channels_last))
        apart = contrastive(output, person)
        if self.kind == "b" or not self.known:
            return apart
        assert bank.identity is not None
        return F.mse_loss(output.float(), bank.identity[person]) + 0.3 * apart

    def _some(self, count: int, places: int) -> Tensor:
        """Half the numbers of `count` different persons at the first even places of their blocks."""
        chosen = torch.randperm(self.bank.filled // self.bank.rows * places, device=self.bank.device)[:count]
        return chosen // places * (self.bank.persons // 2) + chosen % places


class LandmarksJob(JudgeJob):
    """68 points in insightface's square."""

    def __init__(self, bank: Bank, batch: int) -> None:
        super().__init__(DenseLandmarks(), bank, batch, rate=0.01)
        self.mirrored = torch.from_numpy(MIRRORED.copy()).to(bank.device)

    def loss(self) -> Tensor:
        rows = self.some_rows()
        points, side = self.bank.points[rows], 192
        turn = 0.2 * torch.randn(len(rows), device=points.device) * chance(len(rows), 0.6, points)[:, 0, 0, 0]
        cosine, sine = turn.cos(), turn.sin()
        spin = torch.stack((torch.stack((cosine, -sine), -1), torch.stack((sine, cosine), -1)), 1)
        box = face_boxes(five_points(points) @ spin.transpose(1, 2))
        wide = (box[:, 2:] - box[:, :2]).amax(1) * 1.5
        scale = side / wide.clamp(min=4) * (0.05 * torch.randn_like(wide)).exp()
        middle = (box[:, :2] + box[:, 2:]) / 2 + 0.03 * wide[:, None] * torch.randn(len(rows), 2, device=points.device)
        linear = spin * scale[:, None, None]
        to_square = torch.cat((linear, (side / 2 - scale[:, None] * middle)[..., None]), 2)
        view = warp(self.pictures(rows), invert(to_square), side)
        placed_points = move_points(points, to_square)
        if torch.rand(()) < 0.5:
            view = view.flip(3)
            placed_points = (placed_points * placed_points.new_tensor((-1, 1))
                             + placed_points.new_tensor((side - 1, 0)))[:, self.mirrored]
        view = ((worn(view, 0.2) * 255 - 127.5) / 128).contiguous(memory_format=torch.channels_last)
        with mixed(view):
            found = self.network(view).view(-1, LANDMARKS, 2)
        off = (found.float() - (placed_points / (side / 2) - 1)).norm(dim=-1)
        return (off + 0.02 * torch.log1p(off / 0.02)).mean()


class DetectorJob(JudgeJob):
    """Faces of 18 px to nearly the whole canvas, one to three of them, some pasted over others."""

    def __init__(self, bank: Bank, batch: int) -> None:
        super().__init__(Detector(), bank, batch)

    def loss(self) -> Tensor:
        side = SIDES[self.learner.steps % len(SIDES)]
        count = max(2, round(self.batch * (320 / side) ** 1.4))
        device = self.bank.device
        canvas = torch.zeros(count, 3, side, side, device=device)
        boxes: list[Tensor] = []
        points: list[Tensor] = []
        kinds: list[Tensor] = []
        layers = 1 + int(torch.randint(3, ()))
        for layer in range(layers):
            rows = torch.randint(self.bank.filled, (count,), device=device)
            five = five_points(self.bank.points[rows])
            to_canvas = self._placed(five, side, small=layer > 0)
            back = invert(to_canvas)
            part = warp(self.pictures(rows), back, side, "border" if layer == 0 else "zeros")
            if layer == 0:
                canvas = part
            else:
                inside = (warp(torch.ones_like(self.pictures(rows)[:, :1]), back, side) > 0.99).float()
                canvas = canvas + inside * (part - canvas)
                for kind, old in zip(kinds, points):  # what a pasted picture covers is no face any more
                    kind[self._covered(old, inside)] = -1
            five = move_points(five, to_canvas)
            kind = torch.where((five.amin((1, 2)) >= 0) & (five.amax((1, 2)) <= side - 1), 1, -1)
            boxes.append(face_boxes(five))
            points.append(five)
            kinds.append(kind)
        faces = Faces(torch.stack(boxes, 1), torch.stack(points, 1), torch.stack(kinds, 1))
        view = ((worn(canvas, 0.2) * 255 - 127.5) / 128).contiguous(memory_format=torch.channels_last)
        return detector_loss(self.network(view), faces, side)

    @staticmethod
    def _placed(five: Tensor, side: int, small: bool) -> Tensor:
        """Similarities from pictures to the canvas that put each face somewhere at some size."""
        n, device = len(five), five.device
        box = face_boxes(five)
        size = (box[:, 2:] - box[:, :2]).prod(1).clamp(min=16).sqrt()
        least = torch.tensor(max(18.0, 0.12 * side), device=device)
        most = torch.tensor((0.35 if small else 0.95) * side, device=device).clamp(min=20)
        scale = (least.log() + torch.rand(n, device=device) * (most.log() - least.log())).exp() / size
        turn = 0.22 * torch.randn(n, device=device) * (torch.rand(n, device=device) < 0.6)
        cosine, sine = scale * turn.cos(), scale * turn.sin()
        linear = torch.stack((torch.stack((cosine, -sine), -1), torch.stack((sine, cosine), -1)), 1)
        middle = (box[:, :2] + box[:, 2:]) / 2
        room = (side - scale * size).clamp(min=0)[:, None]
        goal = side / 2 + (torch.rand(n, 2, device=device) - 0.5) * (room + 0.2 * (scale * size)[:, None])
        return torch.cat((linear, (goal[..., None] - linear @ middle[..., None])), 2)

    @staticmethod
    def _covered(five: Tensor, inside: Tensor) -> Tensor:
        """Which faces have a point or their middle under the pasted picture, (B,) bool."""
        spots = torch.cat((five, five.mean(1, keepdim=True)), 1)
        places = spots * 2 / (inside.shape[-1] - 1) - 1
        return F.grid_sample(inside, places[:, None], mode="nearest", align_corners=True).flatten(1).amax(1) > 0


class CriticJob(JudgeJob):
    """Composites of two shots of one person or look-alike, and true crops."""

    def __init__(self, bank: Bank, batch: int) -> None:
        super().__init__(Critic(), bank, batch)

    def loss(self) -> Tensor:
        bank, n = self.bank, self.batch
        rows = self.some_rows(crops=True)
        other = rows // SHOTS * SHOTS + torch.randint(SHOTS - 1, (n,), device=rows.device)
        quarter, within = bank.persons // 4, rows // SHOTS % bank.persons
        twin = torch.where(within < quarter, other + (bank.persons - quarter) * SHOTS, other)
        other = torch.where(torch.rand(n, device=rows.device) < 0.5, twin, other)
        five, theirs = five_points(bank.points[rows]), five_points(bank.points[other])
        frame = crop_maps(five, 96)
        to_theirs = fit_similarity(five, theirs)
        linear = to_theirs[:, :, :2] @ frame[:, :, :2]
        back = torch.cat((linear, (to_theirs[:, :, :2] @ frame[:, :, 2:] + to_theirs[:, :, 2:])), 2)
        edited = warp(self.pictures(rows), frame, 96, "border")
        original = warp(self.pictures(other), back, 96, "border")
        made, mark = composite(edited, original, move_points(five, invert(frame)))
        true = edited
        crops = torch.cat((self._harmless(true), self._harmless(made)))
        marks = torch.cat((torch.zeros_like(mark), mark))
        with mixed(crops):
            output = self.network(crops.contiguous(memory_format=torch.channels_last))
        return F.binary_cross_entropy_with_logits(output.float(), marks)

    @staticmethod
    def _harmless(x: Tensor) -> Tensor:
        """A decoder's slight softness, exposure, noise, mirroring: no damage."""
        n = len(x)
        soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        x = torch.lerp(x, soft, chance(n, 0.5, x) * 0.5 * torch.rand(n, 1, 1, 1, device=x.device))
        gain = 1 + chance(n, 0.4, x) * 0.15 * (2 * torch.rand(n, 3, 1, 1, device=x.device) - 1)
        x = x * gain + 0.015 * torch.rand(n, 1, 1, 1, device=x.device) * torch.randn_like(x)
        return torch.lerp(x, x.flip(3), chance(n, 0.5, x)).clamp(0, 1)


def judge_job(name: str, bank: Bank, batch: int) -> JudgeJob:
    """The training of a judge by name; KeyError for another name."""
    if name.startswith("recogniser"):
        return RecogniserJob(name[-1], bank, batch)
    return {"critic": CriticJob, "landmarks": LandmarksJob, "detector": DetectorJob}[name](bank, batch)
