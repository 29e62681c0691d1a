// Puts the face map on Restore Identity and Match Faces, and keeps the node's `pairs` in step with it.

import { app } from "../../scripts/app.js";
import { FaceMap } from "./face_map_view.js";
import { register } from "./register.js";

const NODES = ["EditedIDRestoreIdentity", "EditedIDMatchFaces"];
const OUTPUT = "editedid_face_map";

/** Tell the front end that the workflow changed, so that undo and the restored tab know the choice. */
function noteChange() {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
}

function addMap(node) {
  const pairs = node.widgets?.find((widget) => widget.name === "pairs");
  if (!pairs) return;
  const map = new FaceMap((text) => {
    pairs.value = text;
    pairs.callback?.(text);
    node.graph?.setDirtyCanvas(true, true);
    noteChange();
  });
  const widget = node.addDOMWidget("face_map", "editedid_face_map", map.element, {
    serialize: false,
    hideOnZoom: false,
    hideInPanel: true, // which would draw an empty row, and leave its own width here
    getMinHeight: () => map.height(),
    getMaxHeight: () => map.height(),
  });
  widget.serialize = false; // the choice itself lives in `pairs`
  const layout = widget.computeLayoutSize; // whoever has one shares a tall node's free room in Nodes 2.0
  Object.defineProperty(widget, "computeLayoutSize", { get: () => (LiteGraph.vueNodesMode ? undefined : layout) });
  map.onResize = () => {
    const [width, height] = node.size;
    const needed = LiteGraph.vueNodesMode ? 0 : node.computeSize()[1]; // Nodes 2.0 grows by itself
    if (height < needed) node.setSize([width, needed]);
    node.graph?.setDirtyCanvas(true, true);
  };
  const executed = node.onExecuted;
  node.onExecuted = function (output) {
    executed?.apply(this, arguments);
    if (output?.[OUTPUT]) map.show(output[OUTPUT][0], pairs.value);
  };
  const removed = node.onRemoved;
  node.onRemoved = function () {
    removed?.apply(this, arguments);
    map.remove();
  };
  node.editedidFaceMap = map;
  map.empty(() => String(pairs.value ?? ""));
}

register({
  name: "editedid.FaceMap",
  nodeCreated(node) {
    if (NODES.includes(node.comfyClass)) addMap(node);
  },
  loadedGraphNode(node) {
    const known = app.nodeOutputs?.[String(node.id)]?.[OUTPUT];
    if (known && node.editedidFaceMap) {
      const pairs = node.widgets.find((widget) => widget.name === "pairs");
      node.editedidFaceMap.show(known[0], pairs.value);
    }
  },
});
