"""Builds `kernels.cu` with gcc or nvcc and calls it on torch tensors."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import torch

SOURCE = Path(__file__).with_name("kernels.cu")
EMPTY = -1
"""Every bit set: the value of a sample that shows nothing, as int64."""


def _command(device: str, target: Path) -> list[str]:
    if device == "cuda":
        nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
        major, minor = torch.cuda.get_device_capability()
        return [nvcc, "-O3", "-shared", "-Xcompiler", "-fPIC", f"-arch=sm_{major}{minor}", "-o", str(target), str(SOURCE)]
    compiler = shutil.which("g++") or shutil.which("c++") or "c++"
    return [compiler, "-x", "c++", "-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC", "-o", str(target),
            str(SOURCE)]


@lru_cache(maxsize=2)
def library(device: str) -> ctypes.CDLL:
    """The compiled kernels for "cpu" or "cuda", built once and kept in the temporary folder.

    Raises RuntimeError when there is no compiler or it fails.
    """
    key = hashlib.sha256(SOURCE.read_bytes() + device.encode() + os.uname().nodename.encode()).hexdigest()[:16]
    folder = Path(os.environ.get("PEOPLE3D_CACHE", Path(tempfile.gettempdir()) / f"people3d-{os.getuid()}"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kernels-{device}-{key}.so"
    if not path.exists():
        made = path.with_suffix(f".{os.getpid()}")
        try:
            subprocess.run(_command(device, made), check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            detail = getattr(error, "stderr", "") or str(error)
            raise RuntimeError(f"The rasteriser could not be compiled for {device}: {detail[-2000:]}") from error
        os.replace(made, path)
    return ctypes.CDLL(str(path))


def _pointer(tensor: torch.Tensor) -> ctypes.c_void_p:
    assert tensor.is_contiguous()
    return ctypes.c_void_p(tensor.data_ptr())


def _stream(device: torch.device) -> ctypes.c_void_p:
    return ctypes.c_void_p(torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0)


class Raster:
    """A depth buffer of n pictures (H, W), filled by triangles and by hair strands."""

    def __init__(self, n: int, height: int, width: int, device: torch.device) -> None:
        self.shape, self.device = (n, height, width), device
        self.buffer = torch.full((n, height, width), EMPTY, dtype=torch.int64, device=device)
        self._library, self._n = library(device.type), ctypes.c_longlong(n)
        self._points = self._tris = self._hair = self._widths = None

    def triangles(self, points: torch.Tensor, tris: torch.Tensor) -> None:
        """Draw triangles. points: (n, V, 3), x, y in samples and depth (0 or less hides). tris: (T, 3) int32."""
        points = points.float().contiguous()
        _, height, width = self.shape
        self._points, self._tris = points, tris
        self._library.p3d_triangles(_pointer(points), _pointer(tris), _pointer(self.buffer), self._n, points.shape[1],
                                    len(tris), height, width, _stream(self.device))

    def strands(self, points: torch.Tensor, widths: torch.Tensor) -> None:
        """Draw hair after the triangles. points: (n, S, K, 3). widths: (n, S, K) in samples (0 or less hides)."""
        points, widths = points.float().contiguous(), widths.float().contiguous()
        _, height, width = self.shape
        self._hair, self._widths = points, widths
        first = 0 if self._tris is None else len(self._tris)
        self._library.p3d_strands(_pointer(points), _pointer(widths), _pointer(self.buffer), self._n, points.shape[1],
                                  points.shape[2], first, height, width, _stream(self.device))

    def depth(self) -> torch.Tensor:
        """(n, H, W) depth alone; infinity where nothing is."""
        high = (self.buffer >> 32).to(torch.int32).view(torch.float32)
        return torch.where(self.buffer == EMPTY, torch.inf, high)

    def resolve(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Depth (n, H, W), number of the primitive (n, H, W) int32 (-1: none), weights (n, H, W, 2)."""
        assert self._points is not None and self._tris is not None
        n, height, width = self.shape
        depth = torch.empty(self.shape, device=self.device)
        number = torch.empty(self.shape, dtype=torch.int32, device=self.device)
        weight = torch.empty((*self.shape, 2), device=self.device)
        hair = self._hair if self._hair is not None else torch.zeros(1, 1, 2, 3, device=self.device)
        widths = self._widths if self._widths is not None else torch.zeros(1, 1, 2, device=self.device)
        self._library.p3d_resolve(
            _pointer(self.buffer), _pointer(self._points), _pointer(self._tris), _pointer(hair), _pointer(widths),
            _pointer(depth), _pointer(number), _pointer(weight), self._n, self._points.shape[1], len(self._tris),
            hair.shape[1], hair.shape[2], height, width, _stream(self.device))
        return depth, number, weight


def noise(points: torch.Tensor, seeds: torch.Tensor, cell: float) -> torch.Tensor:
    """Value noise (N, 4): value in -1..1 and its gradient. points: (N, 3). seeds: (N,) int32. cell: lattice step."""
    points, seeds = points.float().contiguous(), seeds.int().contiguous()
    out = torch.empty(len(points), 4, device=points.device)
    library(points.device.type).p3d_noise(_pointer(points), _pointer(seeds), _pointer(out), ctypes.c_longlong(len(points)),
                                          ctypes.c_float(cell), _stream(points.device))
    return out
