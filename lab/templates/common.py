"""Models, words and nodes that several templates share."""

from __future__ import annotations

from typing import Any

from .parts import Link, Node

HUB = "https://huggingface.co"
SDXL = {"name": "sd_xl_base_1.0.safetensors", "directory": "checkpoints",
        "url": f"{HUB}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors"}
SD15 = {"name": "v1-5-pruned-emaonly-fp16.safetensors", "directory": "checkpoints",
        "url": f"{HUB}/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/v1-5-pruned-emaonly-fp16.safetensors"}
FLUX = {"name": "flux1-dev-fp8.safetensors", "directory": "checkpoints",
        "url": f"{HUB}/Comfy-Org/flux1-dev/resolve/main/flux1-dev-fp8.safetensors"}
QWEN = {"name": "qwen_image_edit_2509_fp8_e4m3fn.safetensors", "directory": "diffusion_models",
        "url": f"{HUB}/Comfy-Org/Qwen-Image-Edit_ComfyUI/resolve/main/split_files/diffusion_models/"
        "qwen_image_edit_2509_fp8_e4m3fn.safetensors"}
QWEN_VAE = {"name": "qwen_image_vae.safetensors", "directory": "vae",
            "url": f"{HUB}/Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files/vae/qwen_image_vae.safetensors"}
KONTEXT = {"name": "flux1-dev-kontext_fp8_scaled.safetensors", "directory": "diffusion_models",
           "url": f"{HUB}/Comfy-Org/flux1-kontext-dev_ComfyUI/resolve/main/split_files/diffusion_models/"
           "flux1-dev-kontext_fp8_scaled.safetensors"}
QWEN_TEXT = {"name": "qwen_2.5_vl_7b_fp8_scaled.safetensors", "directory": "text_encoders",
             "url": f"{HUB}/Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files/text_encoders/"
             "qwen_2.5_vl_7b_fp8_scaled.safetensors"}
FLUX_TEXTS = tuple({"name": name, "directory": "text_encoders",
                    "url": f"{HUB}/comfyanonymous/flux_text_encoders/resolve/main/{name}"}
                   for name in ("clip_l.safetensors", "t5xxl_fp8_e4m3fn_scaled.safetensors"))
FLUX_VAE = {"name": "ae.safetensors", "directory": "vae",
            "url": f"{HUB}/Comfy-Org/Lumina_Image_2.0_Repackaged/resolve/main/split_files/vae/ae.safetensors"}

CONSENT = "\n\nUse it only on pictures of people who agree to it."
READ_IT = ("\n\nThe node shows before and after and a line about each face. **Advanced inputs** are at its foot (Nodes 2.0) or "
           "in its right-click menu (classic).")
STEPS = ("1. Choose **your photo**: the person as they are.\n2. Choose **the edit**: the picture whose face is wrong.\n"
         "3. Choose the model, if yours has another name.\n4. **Run**.")
RESTORE = "EditedIDRestoreIdentity"


def note(text: str, at: tuple[int, int] = (0, 0), size: tuple[int, int] = (360, 430)) -> Node:
    return Node("note", "MarkdownNote", at, size, "What to do", values={"text": text})


def picture(key: str, title: str, at: tuple[int, int], **more: Any) -> Node:
    called = title.split(" · ")[-1].lower()
    return Node(key, "LoadImage", at, (340, 330), title, absent=True, labels={"image": called}, **more)


def checkpoint(model: dict[str, str], at: tuple[int, int] = (440, 40)) -> Node:
    return Node("model", "CheckpointLoaderSimple", at, (340, 100), "Model", values={"ckpt_name": model["name"]},
                models=(model,), labels={"ckpt_name": "model"})


def restorer(original: Link, edited: Link, at: tuple[int, int], model: Link | None = None, vae: Link | None = None,
             clip: Link | None = None, **values: Any) -> Node:
    """As tall as it is after a run. `clip`: where the loader has a text encoder."""
    links = {"edited": edited, "original": original, "model": model, "vae": vae, "clip": clip}
    return Node("restore", RESTORE, at, (420, 1020), "Restore Identity", {k: v for k, v in links.items() if v}, values)


def saved(at: tuple[int, int], source: Link = ("restore", 0)) -> Node:
    return Node("save", "SaveImage", at, (400, 420), "Result", {"images": source}, {"filename_prefix": "restored"})
