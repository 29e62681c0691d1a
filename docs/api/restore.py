"""Restore a face through ComfyUI's API: python restore.py photo.png edit.png [http://127.0.0.1:8188]"""
import json
import sys
import time

import requests

photo, edit, host = [*sys.argv[1:3], *(sys.argv[3:] or ["http://127.0.0.1:8188"])]
prompt = json.load(open(__file__.replace(".py", ".json")))  # the SDXL template: put your checkpoint's name into it
for node, path in (("3", photo), ("4", edit)):
    sent = requests.post(f"{host}/upload/image", files={"image": open(path, "rb")}).json()
    prompt[node]["inputs"]["image"] = sent["name"]
job = requests.post(f"{host}/prompt", json={"prompt": prompt}).json()["prompt_id"]
while not (done := requests.get(f"{host}/history/{job}").json()):
    time.sleep(1)
print(*done[job]["outputs"]["5"]["editedid_lines"], *done[job]["outputs"]["6"]["images"], sep="\n")
