"""The templates: one for each thing that people come for. Names hold the words that they search for."""

from __future__ import annotations

from .common import (
    CONSENT,
    FLUX,
    FLUX_TEXTS,
    FLUX_VAE,
    KONTEXT,
    QWEN,
    QWEN_TEXT,
    QWEN_VAE,
    READ_IT,
    SD15,
    SDXL,
    STEPS,
    checkpoint,
    note,
    picture,
    restorer,
    saved,
)
from .parts import Group, Node, Template
from .stages import every_stage


def everyday(name: str, words: str, model: dict[str, str]) -> Template:
    """One person, a checkpoint with its VAE."""
    return Template(name, (
        note(f"## {words}\n\n{STEPS}{READ_IT}{CONSENT}"),
        checkpoint(model), picture("photo", "1 · Your photo", (440, 250)), picture("edit", "2 · The edit", (440, 650)),
        restorer(("photo", 0), ("edit", 0), (900, 40), ("model", 0), ("model", 2), ("model", 1)),
        saved((1440, 40)),
    ), (Group("Model", (420, -40, 380, 200), "#88A"), Group("Your two pictures", (420, 180, 380, 820), "#3f789e"),
        Group("Restore", (880, -40, 460, 1120), "#8A8"), Group("Result", (1420, -40, 440, 520), "#A88")),
        ((("photo", "image"), ("edit", "image"), ("model", "ckpt_name"), ("restore", "strength")), "save"))


def after_editor(name: str, words: str, model: dict[str, str], vae: dict[str, str], text: Node) -> Template:
    """One person, a diffusion model, its VAE and its text encoder (`text`, "text") as files of their own."""
    return Template(name, (
        note(f"## {words}\n\n{STEPS}\n\nRestore Identity works with the model that made the edit. A GGUF file takes its "
             f"own loader in the place of *Model*; its name should say which model it is.{READ_IT}{CONSENT}"),
        Node("model", "UNETLoader", (440, 40), (340, 100), "Model", values={"unet_name": model["name"]},
             models=(model,)),
        Node("vae", "VAELoader", (440, 200), (340, 70), "VAE", values={"vae_name": vae["name"]}, models=(vae,)),
        text, picture("photo", "1 · Your photo", (440, 580)), picture("edit", "2 · The edit", (440, 980)),
        restorer(("photo", 0), ("edit", 0), (900, 40), ("model", 0), ("vae", 0), ("text", 0)),
        saved((1440, 40)),
    ), (Group("Model", (420, -40, 380, 520), "#88A"), Group("Your two pictures", (420, 500, 380, 830), "#3f789e"),
        Group("Restore", (880, -40, 460, 1120), "#8A8"), Group("Result", (1420, -40, 440, 520), "#A88")),
        ((("photo", "image"), ("edit", "image"), ("restore", "strength")), "save"))


def text_encoder(loader: str, family: str, **files: dict[str, str]) -> Node:
    """The loader of a model's text encoder, under "text"."""
    named = {name: file["name"] for name, file in files.items()}
    return Node("text", loader, (440, 330), (340, 140), "Text encoder", values={**named, "type": family},
                models=tuple(files.values()))


def try_it() -> Template:
    text = ("## Try it: nothing to download\n\n**Run** it as it is: the sample people are rendered and come with the pack.\n\n"
            "For your own pictures, put two *Load Image* nodes in the place of *Sample Pictures*.\n\nWithout a model the "
            "photo's face is put in without diffusion, in seconds. Connect **model** and **vae** to restore with your "
            f"model.{READ_IT}{CONSENT}")
    return Template("Try it - restore a face (no downloads)", (
        note(text), Node("sample", "EditedIDSamplePictures", (440, 40), (340, 420), "Sample Pictures"),
        restorer(("sample", 0), ("sample", 1), (900, 40)), saved((1440, 40)),
    ), (Group("Pictures", (420, -40, 380, 520), "#3f789e"), Group("Restore", (880, -40, 460, 1120), "#8A8"),
        Group("Result", (1420, -40, 440, 520), "#A88")), ((("sample", "kind"), ("restore", "skin_tone")), "save"))


def group_picture() -> Template:
    text = ("## Group picture\n\n1. Choose a **photo of each person** (or one group photo, and take the other wires off).\n"
            "2. Choose **the edit**.\n3. **Run**.\n\nFaces are paired by likeness, in any order. A face without a photo "
            "stays as it is. **pairs** (advanced) says who is who if you know better: `1=2, 3=skip`." + READ_IT + CONSENT)
    return Template("Group picture - restore everybody's face (likeness)", (
        note(text), picture("one", "Photo of a person", (440, 40)), picture("two", "Photo of a person", (440, 420)),
        picture("three", "Photo of a person", (440, 800)),
        Node("batch", "BatchImagesNode", (880, 700), (340, 110), "All photos",
             {"images.image0": ("one", 0), "images.image1": ("two", 0), "images.image2": ("three", 0)}),
        checkpoint(SDXL, (880, 40)), picture("edit", "The edit", (880, 250)),
        restorer(("batch", 0), ("edit", 0), (1340, 40), ("model", 0), ("model", 2), ("model", 1)),
        saved((1880, 40)),
    ), (Group("Photos", (420, -40, 380, 1190), "#3f789e"), Group("Model and edit", (860, -40, 380, 990), "#88A"),
        Group("Restore", (1320, -40, 460, 1120), "#8A8"), Group("Result", (1860, -40, 440, 520), "#A88")))


def frames() -> Template:
    text = ("## Frames\n\n1. Choose **a photo** of the person.\n2. Choose **the video** whose face is wrong.\n3. **Run**.\n\n"
            "Every frame is restored with the same noise. **without a face** set to *pass through* leaves frames without a "
            f"face as they are.{READ_IT}{CONSENT}")
    return Template("Frames - one person's likeness through a video", (
        note(text), Node("video", "LoadVideo", (440, 40), (340, 330), "2 · The video", absent=True),
        Node("parts", "GetVideoComponents", (880, 40), (240, 80), "Its frames", {"video": ("video", 0)}),
        checkpoint(SD15, (880, 470)), picture("photo", "1 · A photo", (880, 670)),
        restorer(("photo", 0), ("parts", 0), (1340, 200), ("model", 0), ("model", 2), ("model", 1),
                 no_face="pass through", frames=True),
        Node("joined", "CreateVideo", (1880, 40), (300, 120), "Frames to video",
             {"images": ("restore", 0), "audio": ("parts", 1), "fps": ("parts", 2)}),
        Node("save", "SaveVideo", (2280, 40), (380, 420), "Result", {"video": ("joined", 0)},
             absent=True),
    ), (Group("Video", (420, -40, 740, 430), "#3f789e"), Group("Model and photo", (860, 400, 380, 620), "#88A"),
        Group("Restore", (1320, 120, 460, 1120), "#8A8"),
        Group("Result", (1860, -40, 820, 520), "#A88")))


def folder() -> Template:
    text = ("## Many edits of one person\n\n1. Put the edits into a folder in ComfyUI's `input` folder, and write its name "
            "into **folder**.\n2. Choose **your photo** and the model.\n3. Set the **number of runs** beside *Run* to the "
            "number of pictures (ComfyUI takes 100 at once; Settings, *Batch count limit*), then **Run**.\n\nEach picture "
            "is restored and saved by itself, under its own name. One that cannot be read fails alone: the queue shows it "
            "and goes on. *without a face* set to *pass through* saves pictures without a face as they are. Set **number** "
            f"back to 1 to begin again.{CONSENT}")
    return Template("Folder - restore a person's face in many edits", (
        note(text, size=(360, 520)), checkpoint(SDXL), picture("photo", "1 · Your photo", (440, 250)),
        Node("edits", "EditedIDLoadEditFromFolder", (440, 670), (340, 460), "2 · The folder of edits"),
        restorer(("photo", 0), ("edits", 0), (900, 40), ("model", 0), ("model", 2), ("model", 1),
                 no_face="pass through"),
        Node("save", "SaveImage", (1440, 40), (400, 420), "Result",
             {"images": ("restore", 0), "filename_prefix": ("edits", 1)}),
    ), (Group("Model", (420, -40, 380, 200), "#88A"), Group("Photo and edits", (420, 180, 380, 970), "#3f789e"),
        Group("Restore", (880, -40, 460, 1120), "#8A8"), Group("Result", (1420, -40, 440, 520), "#A88")), first_lane=1180)


def small_face() -> Template:
    text = ("## Small face\n\n1. Choose **the picture** whose face has only a handful of pixels left. Enlarge it first "
            "(*Upscale Image By*) if it is small itself.\n2. Choose **two photos** of the person; up to twenty can be "
            "batched.\n3. Choose the model, if yours has another name.\n4. **Run**.\n\nWhat the pixels do not hold comes "
            "from the photos: the result is a likely picture, not a record." + CONSENT)
    return Template("Small face - give a person back from a few pixels", (
        note(text), checkpoint(SD15), picture("small", "1 · The picture", (440, 250)),
        picture("one", "2 · A photo", (440, 650)), picture("two", "2 · Another photo", (440, 1030)),
        Node("photos", "BatchImagesNode", (880, 900), (340, 110), "The photos",
             {"images.image0": ("one", 0), "images.image1": ("two", 0)}),
        Node("restore", "EditedIDSuperResolveFace", (1300, 40), (420, 820), "Super-Resolve Face",
             {"image": ("small", 0), "references": ("photos", 0), "model": ("model", 0), "vae": ("model", 2),
              "clip": ("model", 1)}),
        saved((1840, 40)),
    ), (Group("Model", (420, -40, 380, 200), "#88A"), Group("Your pictures", (420, 180, 380, 1200), "#3f789e"),
        Group("All photos", (860, 820, 380, 210), "#3f789e"),
        Group("Super-resolve", (1280, -40, 460, 920), "#8A8"), Group("Result", (1820, -40, 440, 520), "#A88")))


def cases() -> list[Template]:
    """All of them, in the order in which they were thought of."""
    return [
        try_it(), everyday("Restore a face - SDXL", "Restore a face with SDXL", SDXL),
        everyday("Restore a face - FLUX", "Restore a face with FLUX", FLUX),
        everyday("Restore a face - SD 1.5", "Restore a face with SD 1.5", SD15),
        after_editor("Restore a person after Qwen-Image-Edit (identity)", "After Qwen-Image-Edit", QWEN, QWEN_VAE,
                     text_encoder("CLIPLoader", "qwen_image", clip_name=QWEN_TEXT)),
        after_editor("Restore a person after FLUX Kontext (identity)", "After FLUX Kontext", KONTEXT, FLUX_VAE,
                     text_encoder("DualCLIPLoader", "flux", clip_name1=FLUX_TEXTS[0], clip_name2=FLUX_TEXTS[1])),
        group_picture(), every_stage(), frames(), small_face(), folder(),
    ]
