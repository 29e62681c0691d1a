"""Every text of every node in Chinese: names, tooltips and help pages, none missing and none of what is gone."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from editedid_core.restore.report import Decision, FaceReport, LeftAlone

ROOT = Path(__file__).resolve().parents[2]
CHINESE = re.compile("[\u4e00-\u9fff]")
OPTIONS = {node: {name: one.get("options", ()) for name, one in described["inputs"].items()} for node, described
           in json.loads((ROOT / "tests" / "host" / "schema.json").read_text(encoding="utf-8")).items()}


def texts(language: str) -> dict[str, Any]:
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def keys_of(value: Any) -> Any:
    return {key: keys_of(one) for key, one in value.items()} if isinstance(value, dict) else None


def test_no_text_is_missing_in_chinese() -> None:
    chinese = texts("zh")
    assert keys_of(chinese) == keys_of(texts("en"))  # which is held against the schema in the host ring
    for node, told in chinese.items():
        long = [told["display_name"], told["description"]]
        long += [slot["tooltip"] for group in ("inputs", "outputs") for slot in told[group].values()]
        assert [text for text in long if not CHINESE.search(text)] == [], node


@pytest.mark.parametrize("node", sorted(OPTIONS))
def test_the_chinese_help_page_names_inputs_outputs_and_options(node: str) -> None:
    """The front end shows docs/<node>/zh.md. It does not translate options, so the page names them as they are."""
    page = (ROOT / "web" / "docs" / node / "zh.md").read_text(encoding="utf-8")
    told = texts("zh")[node]
    wanted = [f"# {told['display_name']}\n", *(f"`{name}`" for name in told["inputs"])]
    wanted += [slot["name"] for group in ("inputs", "outputs") for slot in told[group].values()]
    wanted += [option for options in OPTIONS[node].values() for option in map(str, options)
               if not option.replace(".", "").isdigit()]
    assert [word for word in wanted if word not in page] == []
    links = re.findall(r"\]\(([^)\s]+)\)", page)
    assert all((ROOT / "web" / "docs" / link).exists() for link in links)  # as the front end reads them


def table(name: str, file: str = "words_table.js") -> Any:
    """A table of the folder web: it is written as JSON."""
    text = (ROOT / "web" / file).read_text(encoding="utf-8")
    return json.loads(text.split(f"export const {name} = ")[1].split(";\n")[0])


def test_the_widgets_say_nothing_that_has_no_chinese() -> None:
    said = {words for file in (ROOT / "web").rglob("*.js")
            for words in re.findall(r"(?<![.\w])say\(\s*\"([^\"]+)\"", file.read_text(encoding="utf-8"))}
    chinese = table("WORDS")["zh"]
    assert said == set(chinese)
    for words, told in chinese.items():
        assert CHINESE.search(told)
        assert sorted(re.findall(r"{\w+}", words)) == sorted(re.findall(r"{\w+}", told)), words


def told_in_chinese(sentence: str) -> str:
    """As web/words.js tells it."""
    for found, said in table("RESULTS")["zh"]:
        sentence = re.sub(found, re.sub(r"\$(\d)", r"\\\1", said), sentence, count=1, flags=re.IGNORECASE)
    return sentence


def test_the_line_of_every_face_is_told_in_chinese() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    faces = [FaceReport(0, box, 0.29, 0.52, 0.1, one, photo="photo 2", covered=0.14, retried=retried, shape=0.5)
             for one in Decision for retried in (True, False)]
    why = ((None, True), (None, False), (0.1, False))
    alone = [LeftAlone(0, box, likeness, 0.2, chosen) for likeness, chosen in why]
    lines = [f"{name}: {line}" for name in ("Face 2", "Face 1 of picture 3")
             for line in [*(one.line() for one in faces), *(one.note for one in alone)]]
    for line in lines:
        told = told_in_chinese(line)
        assert not re.search("[A-Za-z]", told.replace("min_similarity", "")), told
    assert told_in_chinese(lines[1]) == (
        "\u7b2c 2 \u5f20\u8138\uff1a0.29 \u2192 0.52\uff0c\u5df2\u8fd8\u539f"
        "\uff0c\u6765\u81ea\u7167\u7247 2\uff1b\u5176\u4e2d 14% \u4fdd\u7559\u7f16\u8f91\u56fe")


SAYING = ("appearance/skin_tone", "comfy/crop_conditioning", "comfy/crop_patches", "comfy/empty_prompt",
          "comfy/model_profile", "comfy/sampling", "faces/chosen", "faces/layouts", "restore/caution",
          "restore/reference_photos", "restore/small_face", "../nodes/run", "../nodes/show")
"""Modules whose sentences a node shows below its picture."""
FILLED = {
    "photos.label(face).capitalize()": "Face 2 of picture 3", "photos.label(person[odd]).capitalize()": "Face 2",
    "photos.label(pair.original)": "face 2", "type(control).__name__": "ControlNet", "what": "An inpainting mask",
    "name_of(patch)": "SUPIRPatch", "likeness": " (likeness 0.50)", "choice": "1=2:1",
    "fault": "two of its faces are in one photo and cannot be one person",
    "_REMEDY": "choose again in the face map, or correct pairs", "then": "2 in the edit and 1 in the photos",
    "now": "1 in the edit and 2 in the photos", "CORNERS": "two corners (x1, y1, x2, y2)",
    "SIZES": "a corner and a size (x, y, width, height)"}
"""What stands in the places of a sentence that hold no number."""
NAMES = re.compile(r"(?i:model)|(?i:vae)|ControlNet|SUPIRPatch|ComfyUI|CLIP Text Encode|face mesh|crop_size|auto|clip|"
                   r"positive|pairs|original|edited|bounding_box|[{(]x[^)}]*[)}]|Photo model")


def sentences(module: str) -> list[str]:
    """Whole sentences in a module's code but for errors, the log and what describes the code; numbers filled in."""
    tree = ast.parse((ROOT / "editedid_core" / f"{module}.py").read_text(encoding="utf-8"))
    found: list[str] = []

    def walk(node: ast.AST) -> None:
        if isinstance(node, (ast.Raise, ast.Assert)) or (isinstance(node, ast.Expr) and
                                                         isinstance(node.value, ast.Constant)):
            return
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("logging.", "io.", "ValueError")):
            return
        if isinstance(node, (ast.Constant, ast.JoinedStr)):
            text = filled(node)
            if re.fullmatch(r"[A-Zpbocm].{25,}[a-z\d)}]\.", text):
                found.append(re.sub("{}", "Photo model", text))
            return
        for child in ast.iter_child_nodes(node):
            walk(child)

    walk(tree)
    return found


def filled(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(filled, node.values))
    if isinstance(node, ast.FormattedValue):
        share = node.format_spec is not None and ast.unparse(node.format_spec).endswith("%'")
        return FILLED.get(ast.unparse(node.value), "7%" if share else "7")
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.parametrize("module", SAYING)
def test_what_a_node_says_of_a_run_is_told_in_chinese(module: str) -> None:
    said = sentences(module)
    assert said
    for sentence in said:
        told = told_in_chinese(sentence)
        rest = NAMES.sub("", told)
        assert CHINESE.search(told) and not re.search("[A-Za-z]", rest), (sentence, told)


def test_the_templates_say_nothing_that_has_no_chinese() -> None:
    said = set()
    for file in (ROOT / "example_workflows").glob("*.json"):
        graph = json.loads(file.read_text(encoding="utf-8"))
        said |= {group["title"] for group in graph["groups"]}
        for node in graph["nodes"]:
            said |= {node.get("title", "VAE"), *(one["label"] for one in node["inputs"] if "label" in one)}
            said |= set(node["widgets_values"][0].split("\n\n")) if node["type"] == "MarkdownNote" else set()
    chinese = table("TEMPLATES", "templates_table.js")["zh"]
    assert said - {"VAE"} == set(chinese) and all(map(CHINESE.search, chinese.values()))
