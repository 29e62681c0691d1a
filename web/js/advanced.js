// Advanced inputs of this pack are hidden in the classic renderer too; its menu has "Show Advanced", as for any node.
import { app } from "../../../scripts/app.js";

app.registerExtension({
  name: "EditedID.Advanced",

  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("EditedID")) return;
    if (app.extensionManager?.setting?.get("Comfy.Node.AlwaysShowAdvancedWidgets")) return;
    for (const widget of node.widgets ?? []) if (widget.options?.advanced) widget.advanced = true;
  },
});
