"""Faces: found once, matched between two pictures, cropped, pasted back, compared."""

from .analyzers.protocol import FaceAnalyzer
from .crop import crop_pairs, cut_crops
from .detect import detect
from .match import match_faces
from .paste import paste
from .record import CropResult, Face, FaceCrop, FacePair, FacePairs, Faces, PasteRecord
from .reshape import Reshaped, reshape_faces
from .similarity import face_similarity, person_similarity
from .tone import Toned, retone_faces

__all__ = [
    "CropResult", "Face", "FaceAnalyzer", "FaceCrop", "FacePair", "FacePairs", "Faces", "PasteRecord",
    "Reshaped", "Toned", "crop_pairs", "cut_crops", "detect", "face_similarity", "match_faces", "paste",
    "person_similarity", "reshape_faces", "retone_faces",
]
