"""What must stand in one place alone, and what every source of a kind must hold: read from the sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
           for part in ("nodes", "editedid_core") for file in sorted((ROOT / part).rglob("*.py"))}
VAE = "editedid_core/comfy/vae.py"


def having(pattern: str) -> set[str]:
    return {name for name, text in SOURCES.items() if re.search(pattern, text)}


def test_one_place_knows_the_factor_of_a_vae() -> None:
    assert having(r"downscale_ratio|spacial_compression|ANY_VAE =") == {VAE}


def test_the_host_s_vae_is_called_in_one_place_which_checks_its_answers() -> None:
    assert having(r"(?<!host_)\bvae\.(encode|decode)\w*\(") == {VAE}
    assert SOURCES[VAE].count("require_finite(") == 2


def test_every_run_of_a_model_checks_its_answer() -> None:
    fit = "editedid_core/comfy/token_fit.py"  # makes no picture: it checks every error and gradient
    runs = having(r"guider\.sample\(")
    assert runs == {"editedid_core/comfy/sampling.py", "editedid_core/comfy/region_sampling.py", fit}
    assert all("require_finite(latent" in SOURCES[name] for name in runs - {fit})
    assert SOURCES[fit].count("raise RuntimeError(NAN)") == 3


def test_every_node_checks_what_it_was_given() -> None:
    found = 0
    for name, text in SOURCES.items():
        for one in ast.walk(ast.parse(text)):
            if isinstance(one, ast.FunctionDef) and one.name == "execute" and name.startswith("nodes/"):
                names = [part.id for part in one.decorator_list if isinstance(part, ast.Name)]
                assert names == ["classmethod", "checked"], f"{name}:{one.lineno}"
                found += 1
    assert found == len(re.findall(r"io\.ComfyNode\)", "".join(SOURCES.values()))) > 20


def test_no_choice_is_held_against_its_options_by_hand() -> None:
    """A choice that is no option has one sentence, which `one_of` makes."""
    assert having(r"choose one of") == {"editedid_core/choices.py"}
    assert not having(r"raise \w+\(f?[\"'](unknown|invalid) ")
