// Advanced inputs of this pack are hidden in the classic renderer too. Nodes 2.0 hides them itself, and has its button.
import { app } from "../../../scripts/app.js";
import { register } from "../register.js";
import { say } from "../words.js";

const OURS = (node) => node.comfyClass?.startsWith("EditedID");

function apply(node) {
  const nodes2 = Boolean(LiteGraph.vueNodesMode);
  const all = nodes2 || node.showAdvanced || app.extensionManager?.setting?.get("Comfy.Node.AlwaysShowAdvancedWidgets");
  for (const widget of node.widgets ?? []) {
    if (!widget.options?.advanced) continue;
    const slot = node.inputs?.findIndex((input) => input.widget?.name === widget.name) ?? -1;
    const wired = slot >= 0 && (node.isInputConnected?.(slot) ?? node.inputs[slot].link != null);
    widget.hidden = !all && !wired;
  }
}

function toggle(node) {
  node.showAdvanced = !node.showAdvanced;
  apply(node);
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), node.showAdvanced ? Math.max(node.size[1], height) : height]);
  node.setDirtyCanvas?.(true, true);
}

register({
  name: "editedid.Advanced",

  setup() {
    app.ui?.settings?.addEventListener?.("Comfy.VueNodes.Enabled.change", () =>
      setTimeout(() => (app.rootGraph ?? app.graph)?.nodes.filter(OURS).forEach(apply)),
    );
  },

  nodeCreated(node) {
    if (!OURS(node)) return;
    apply(node);
    if (!LiteGraph.vueNodesMode) node.setSize([node.size[0], node.computeSize()[1]]);
  },

  loadedGraphNode(node) {
    if (OURS(node)) apply(node);
  },

  getNodeMenuItems(node) {
    if (!OURS(node) || LiteGraph.vueNodesMode || !node.widgets?.some((widget) => widget.options?.advanced)) return [];
    const content = node.showAdvanced ? say("Hide advanced inputs") : say("Show advanced inputs");
    return [{ content, callback: () => toggle(node) }];
  },
});
