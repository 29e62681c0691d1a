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
        checkpoint(SD15, (0, 0)), picture("photo", "1 · Your photo", (0, 220)), picture("edit", "2 · The edit", (0, 620)),
        node("analyzer", "LoadFaceAnalyzer", (0, 1020), (340, 150)),
        node("faces_o", "DetectFaces", (440, 220), (340, 360), "Faces of the photo", image=("photo", 0),
             analyzer=("analyzer", 0)),
        node("faces_e", "DetectFaces", (440, 660), (340, 360), "Faces of the edit", image=("edit", 0),
             analyzer=("analyzer", 0)),
        node("match", "MatchFaces", (880, 220), (340, 200), original=("faces_o", 0), edited=("faces_e", 0)),
        node("shape", "ShapeFaces", (880, 500), (340, 300), edited_image=("edit", 0), pairs=("match", 0)),
        node("crop", "CropFacePairs", (1320, 220), (340, 480), original_image=("photo", 0), edited_image=("shape", 0),
             pairs=("shape", 1)),
        node("encode_o", "VAEEncode", (1760, 220), (180, 50), "Encode photo", pixels=("crop", 0), vae=("model", 2)),
        node("encode_e", "VAEEncode", (1760, 340), (180, 50), "Encode edit", pixels=("crop", 1), vae=("model", 2)),
        node("divide", "AttentionDisentangle", (1320, 0), (340, 110), model=("model", 0)),
        node("gates", "Entanglement", (1760, -160), (340, 280), model=("divide", 0)),
        node("sample", "AdaptiveMixingSampler", (2200, 0), (360, 620), model=("gates", 0),
             original_latent=("encode_o", 0), edited_latent=("encode_e", 0), face_mask=("crop", 2),
             element_mask=("crop", 3)),
        node("decode", "VAEDecode", (2660, 0), (180, 50), "Decode", samples=("sample", 0), vae=("model", 2)),
        node("detail", "ReturnDetail", (2940, 0), (340, 260), restored=("decode", 0), original=("crop", 0),
             edited=("crop", 1), original_latent=("encode_o", 0), edited_latent=("encode_e", 0), vae=("model", 2),
             face_mask=("crop", 2), element_mask=("crop", 3)),
        node("judge", "JudgeFaces", (3380, 0), (340, 260), edited_image=("edit", 0), edited=("crop", 1),
             crops=("detail", 0), paste=("crop", 4), analyzer=("analyzer", 0)),
        node("paste", "PasteFaces", (3820, 0), (340, 360), edited_image=("shape", 0), crops=("judge", 0),
             paste=("judge", 1)),
        node("compare", "FaceSimilarity", (4260, 440), (400, 320), image=("paste", 0), reference=("photo", 0),
             analyzer=("analyzer", 0), before=("edit", 0)),
        Node("save", "SaveImage", (4260, 0), (400, 360), "Result", {"images": ("paste", 0)},
             {"filename_prefix": "restored"}),
        Node("text", "PreviewAny", (4760, 440), (340, 200), "Likeness in words", {"source": ("compare", 2)}),
    ), (Group("Model and pictures", (-20, -80, 380, 1290), "#88A"), Group("Find and match", (420, 140, 820, 920), "#3f789e"),
        Group("Crop and encode", (1300, 140, 660, 600), "#3f789e"), Group("Gates", (1300, -240, 820, 370), "#a1309b"),
        Group("Sample", (2180, -80, 680, 740), "#8A8"), Group("Judge and paste", (2920, -80, 1260, 480), "#8A8"),
        Group("Result", (4240, -80, 880, 880), "#A88")))
