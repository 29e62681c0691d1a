"""The pack in a real host: every node is there, and each is described."""
import pytest

pytestmark = pytest.mark.every_host

NODES = {
    "EditedIDLoadFaceAnalyzer",
    "EditedIDDetectFaces",
    "EditedIDMatchFaces",
    "EditedIDShapeFaces",
    "EditedIDSkinTone",
    "EditedIDCropFacePairs",
    "EditedIDPasteFaces",
    "EditedIDFaceSimilarity",
    "EditedIDAdaptiveMixingSampler",
    "EditedIDAttentionDisentangle",
    "EditedIDEntanglement",
    "EditedIDRestoreIdentity",
    "EditedIDPromptWords",
    "EditedIDLayerProbe",
    "EditedIDReturnDetail",
    "EditedIDJudgeFaces",
    "EditedIDFaceParts",
    "EditedIDSuperResolveFace",
    "EditedIDPlaceFace",
    "EditedIDMeasureDamage",
    "EditedIDFitIdentity",
    "EditedIDSamplePictures",
    "EditedIDLoadEditFromFolder",
}


def test_the_host_lists_every_node(host):
    assert {name for name in host.node_ids() if name.startswith("EditedID")} == NODES
