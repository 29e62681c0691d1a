"""Running methods on examples, each once: results are kept until the pictures, the settings or the code change."""
from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .methods import Made, Method, Methods
from .records import Example, Picture, load
from .store import Store, code, key

PACK = ("editedid_core", "lab/photos/methods.py")
FACES = "editedid_core/faces"
RIVALS = ("lab/bench/rivals.py", "lab/photos/methods.py", f"{FACES}/analyzers", "editedid_core/geometry/affine.py")


def make(example: Example, method: Method, methods: Methods, store: Store) -> Made:
    """The method's result, from the cache where it is there."""
    if method.rival == "edit":
        return Made(load(example.edited), None)
    originals, edited = [load(file) for file in example.originals], load(example.edited)
    sources = code(*(PACK if method.ours else RIVALS))
    name = key(*originals, edited, methods.analyzer.name, _recipe(method, methods), sources)
    picture = store.picture("made", name)
    if picture is None:
        made = methods.run(method, originals, edited)
        store.figures("made", name, lambda: {k: v for k, v in asdict(made).items() if k != "picture"})
        store.keep_picture("made", name, made.picture)  # last: it says that both are there
        return made
    verdict = store.figures("made", name, dict)
    return Made(picture, verdict["accepted"], tuple(verdict["notes"]), tuple(verdict["warnings"]))


def _recipe(method: Method, methods: Methods) -> Any:
    checkpoint = None if methods.checkpoint is None else asdict(methods.checkpoint)
    return [method.rival, dict(method.options), method.engine, checkpoint if method.engine else None]


def digest(picture: Picture) -> str:
    """A name for a picture by its content."""
    return key(picture)
