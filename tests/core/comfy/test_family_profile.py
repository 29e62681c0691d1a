"""What the family table says of how a model is run, and what a file name tells."""

from __future__ import annotations

import pytest

from editedid_core.comfy.family_profile import distilled_steps, file_words, holds
from editedid_core.comfy.model_families import DISTILLED, FAMILIES
from lab.family_table import PATH, profiles


@pytest.mark.parametrize(("file", "steps"), [
    ("sd_xl_turbo_1.0_fp16.safetensors", 4), ("a/sdxl_lightning_8step.safetensors", 8), ("Hyper-SDXL-1step.ckpt", 1),
    ("b\\dreamshaperXL_v21TurboDPMSDE.safetensors", 4), ("lcm-sdxl.safetensors", 4), ("sdxl_dmd2_4step.ckpt", 4),
    ("dreamshaper_8LCM.safetensors", 4), ("flux.1-turbo-8Steps-svdq", 8), ("sdxl.Lightning.Q4_K_S.GGUF", 4),
    ("Qwen-Rapid-AIO-v5.safetensors", 4),
    ("hyperrealism_v3.safetensors", 0), ("my_8steps_model.ckpt", 0), ("juggernautXL.ckpt", 0), ("", 0)])
def test_a_file_name_tells_a_distilled_model(file: str, steps: int) -> None:
    assert distilled_steps(file_words(file), DISTILLED) == steps


def test_words_are_parted_at_capitals_and_signs() -> None:
    assert file_words("/m/Qwen-Image_EditPlus2509.safetensors") == " qwen image edit plus2509 "
    assert file_words(None) == "  "


def test_every_gated_family_is_told_how_it_is_run_and_from_where() -> None:
    for family in FAMILIES:
        if family.refusal:
            continue
        last = family.profiles[-1]
        assert not (last.config or last.named or last.channels or last.v_prediction), family.name  # it is for all
        for one in family.profiles:
            assert one.source and 128 <= one.size <= 2048 and one.size % 8 == 0, one.title
        assert len({one.title for one in family.profiles}) == len(family.profiles)


def test_a_profile_holds_for_the_class_its_heirs_and_whole_words() -> None:
    class Turned:
        pass

    class Heir(Turned):
        pass

    kontext = next(one for family in FAMILIES for one in family.profiles if "kontext" in one.named)
    assert holds(kontext, Heir(), " flux1 kontext dev ", 16, False)
    assert not holds(kontext, Heir(), " flux1 kontextual ", 16, False)
    fill = next(one for family in FAMILIES for one in family.profiles if one.channels == 96)
    assert holds(fill, Heir(), "", 96, False) and not holds(fill, Heir(), "", 16, False)


def test_the_page_says_how_each_model_is_run() -> None:
    page = PATH.read_text("utf8")
    assert profiles() in page, "run the families tests with EDITEDID_UPDATE=1"
