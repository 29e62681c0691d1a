"""The custom socket types of the pack, and the host types that older hosts have under no name of their own.

  EDITEDID_ANALYZER  editedid_core.faces.FaceAnalyzer
  EDITEDID_FACES     editedid_core.faces.Faces
  EDITEDID_PAIRS     editedid_core.faces.FacePairs
  EDITEDID_PASTE     editedid_core.faces.PasteRecord
"""

from comfy_api.latest import io

Analyzer = io.Custom("EDITEDID_ANALYZER")
Faces = io.Custom("EDITEDID_FACES")
Pairs = io.Custom("EDITEDID_PAIRS")
Paste = io.Custom("EDITEDID_PASTE")

# The newest hosts name these two in comfy_api; the wire name is the same everywhere.
FaceLandmarks = io.Custom("FACE_LANDMARKS")
BoundingBox = io.Custom("BOUNDING_BOX")
