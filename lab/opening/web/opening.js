// Where the front end would open the host's own default graph, whose models are not here, it opens our first template.
import { app } from "../../../scripts/app.js";

const FIRST = "Try it - restore a face (no downloads)";
const address = `/api/workflow_templates/ComfyUI-EditedID/${encodeURIComponent(FIRST)}.json`;

app.registerExtension({
  name: "EditedID.Opening",

  async setup() {
    const first = await (await fetch(address)).json();
    const load = app.loadGraphData;
    app.loadGraphData = function (graph, ...rest) {
      return graph ? load.call(this, graph, ...rest) : load.call(this, structuredClone(first), true, true, FIRST);
    };
  },
});
