"""Restore a face through ComfyUI's API: python restore.py photo.png edit.png checkpoint.safetensors [address]"""
import json
import sys
import time
from pathlib import Path

import requests

photo, edit, checkpoint, address = [*sys.argv[1:], "http://127.0.0.1:8188"][:4]
prompt = json.loads(Path(__file__).with_suffix(".json").read_text())  # the template "Restore a face - SDXL"
prompt["2"]["inputs"]["ckpt_name"] = checkpoint
for node, path in (("3", photo), ("4", edit)):
    sent = requests.post(f"{address}/upload/image", files={"image": Path(path).open("rb")})
    prompt[node]["inputs"]["image"] = sent.json()["name"]
job = requests.post(f"{address}/prompt", json={"prompt": prompt}).json()
if "prompt_id" not in job:
    sys.exit(json.dumps(job, indent=1))  # such as a checkpoint that this ComfyUI does not have
while not (done := requests.get(f"{address}/history/{job['prompt_id']}").json().get(job["prompt_id"])):
    time.sleep(1)
if done["status"]["status_str"] != "success":
    sys.exit(json.dumps(done["status"]["messages"][-1], indent=1))
(image,) = done["outputs"]["6"]["images"]
Path("restored.png").write_bytes(requests.get(f"{address}/view", params=image).content)
print(*done["outputs"]["5"]["editedid_lines"], "restored.png", sep="\n")
