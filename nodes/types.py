"""The custom socket types of the pack, and host types that older hosts do not name.

  EDITEDID_ANALYZER  editedid_core.faces.analyzers.protocol.FaceAnalyzer
  EDITEDID_FACES     editedid_core.records.Faces
  EDITEDID_PAIRS     editedid_core.records.FacePairs
  EDITEDID_PASTE     editedid_core.records.PasteRecord
  EDITEDID_IDENTITY  editedid_core.records.Identity
"""

from comfy_api.latest import io

Analyzer = io.Custom("EDITEDID_ANALYZER")
Faces = io.Custom("EDITEDID_FACES")
Pairs = io.Custom("EDITEDID_PAIRS")
Paste = io.Custom("EDITEDID_PASTE")
Identity = io.Custom("EDITEDID_IDENTITY")

# The newest hosts name these two in comfy_api; the wire name is the same on all hosts.
FaceLandmarks = io.Custom("FACE_LANDMARKS")
BoundingBox = io.Custom("BOUNDING_BOX")
