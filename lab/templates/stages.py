"""The template in which every stage is a node of its own."""

from __future__ import annotations

from .common import SD15, checkpoint, note, picture
from .parts import Group, Node, Template

TEXT = ("## Every stage as a node\n\nThe same work and the same defaults as *Restore Identity*, in the open: find, match, "
        "crop, sample, judge, paste.\n\nChoose your two pictures and the model.\n\n"
        "Use it only on pictures of people who agree to it.")


def every_stage() -> Template:
    """The graph of the expert nodes."""
    def node(key: str, kind: str, at: tuple[int, int], size: tuple[int, int], title: str = "", **links: tuple[str, int]
             ) -> Node:
        return Node(key, kind if kind[:3] == "VAE" else f"EditedID{kind}", at, size, title, links)

    return Template("Every stage as a node (face, identity, likeness)", (
        note(TEXT, (-420, 0)),
        checkpoint(SD15, (0, 0)), picture("photo", "1 · Your photo", (0, 180)), picture("edit", "2 · The edit", (0, 580)),
        node("analyzer", "LoadFaceAnalyzer", (0, 980), (340, 150)),
        node("faces_o", "DetectFaces", (580, 0), (340, 440), "Faces of the photo", image=("photo", 0),
             analyzer=("analyzer", 0)),
        node("faces_e", "DetectFaces", (580, 520), (340, 440), "Faces of the edit", image=("edit", 0),
             analyzer=("analyzer", 0)),
        node("match", "MatchFaces", (1160, 0), (340, 360), original=("faces_o", 0), edited=("faces_e", 0)),
        node("shape", "ShapeFaces", (1740, 0), (340, 200), edited_image=("edit", 0), pairs=("match", 0)),
        node("crop", "CropFacePairs", (2320, 0), (340, 640), original_image=("photo", 0), edited_image=("shape", 0),
             pairs=("shape", 1), model=("model", 0)),
        node("divide", "AttentionDisentangle", (2320, 760), (340, 150), model=("model", 0)),
        node("encode_o", "VAEEncode", (2900, 0), (340, 50), "Encode photo", pixels=("crop", 0), vae=("model", 2)),
        node("encode_e", "VAEEncode", (2900, 130), (340, 50), "Encode edit", pixels=("crop", 1), vae=("model", 2)),
        node("gates", "Entanglement", (2900, 760), (340, 380), model=("divide", 0)),
        node("sample", "AdaptiveMixingSampler", (0, 1700), (340, 620), model=("gates", 0),
             original_latent=("encode_o", 0), edited_latent=("encode_e", 0), face_mask=("crop", 2),
             element_mask=("crop", 3), clip=("model", 1)),
        node("decode", "VAEDecode", (580, 1700), (180, 50), "Decode", samples=("sample", 0), vae=("model", 2)),
        node("detail", "ReturnDetail", (1000, 1700), (340, 440), restored=("decode", 0), original=("crop", 0),
             edited=("crop", 1), original_latent=("encode_o", 0), edited_latent=("encode_e", 0), vae=("model", 2),
             face_mask=("crop", 2), element_mask=("crop", 3)),
        node("judge", "JudgeFaces", (1580, 1700), (340, 260), edited_image=("edit", 0), edited=("crop", 1),
             crops=("detail", 0), paste=("crop", 4), analyzer=("analyzer", 0)),
        node("paste", "PasteFaces", (2160, 1700), (340, 440), edited_image=("shape", 0), crops=("judge", 0),
             paste=("judge", 1)),
        Node("save", "SaveImage", (2740, 1700), (400, 420), "Result", {"images": ("paste", 0)},
             {"filename_prefix": "restored"}),
        node("compare", "FaceSimilarity", (2740, 2200), (400, 460), image=("paste", 0), reference=("photo", 0),
             analyzer=("analyzer", 0), before=("edit", 0)),
        Node("text", "PreviewAny", (3240, 2200), (340, 200), "Likeness in words", {"source": ("compare", 2)}),
    ), (Group("Model and pictures", (-20, -80, 380, 1230), "#88A"), Group("Find and match", (560, -80, 1540, 1060), "#3f789e"),
        Group("Crop and encode", (2300, -80, 960, 740), "#3f789e"), Group("Gates", (2300, 680, 960, 480), "#a1309b"),
        Group("Sample", (-20, 1620, 800, 720), "#8A8"), Group("Judge and paste", (980, 1620, 1540, 540), "#8A8"),
        Group("Result", (2720, 1620, 880, 1060), "#A88")), first_lane=1230)
