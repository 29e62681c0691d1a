"""What importing the pack brings into a host."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"onnxruntime", "insightface", "dlib", "cv2", "kornia", "skimage", "face_recognition_models"}
SCRIPT = """
import sys
sys.argv = ["comfyui", "--cpu"]
sys.path.insert(0, {host!r})
import comfy.options
comfy.options.enable_args_parsing()
import comfy.samplers, comfy_api.latest, folder_paths, latent_preview, nodes
import asyncio, importlib.util, json
before = set(sys.modules)
spec = importlib.util.spec_from_file_location("pack", {pack!r} + "/__init__.py", submodule_search_locations=[{pack!r}])
pack = importlib.util.module_from_spec(spec)
sys.modules["pack"] = pack
spec.loader.exec_module(pack)
nodes = asyncio.run(asyncio.run(pack.comfy_entrypoint()).get_node_list())
print(json.dumps([len(nodes), sorted({{name.split(".")[0] for name in set(sys.modules) - before}})]))
"""


def test_importing_the_pack_loads_nothing_heavy() -> None:
    script = SCRIPT.format(host=os.environ["EDITEDID_HOST"], pack=str(ROOT))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    count, loaded = json.loads(done.stdout.splitlines()[-1])
    assert count == len(list((ROOT / "web" / "docs").glob("*.md")))
    assert not HEAVY & set(loaded)
    assert "torch" not in loaded and "pack" in loaded
