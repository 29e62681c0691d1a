// Choices that are numbers beside auto take the link of a number as well.
import { register } from "../register.js";

const NUMBERS = "COMBO,FLOAT,INT";

register({
  name: "editedid.Amounts",

  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("EditedID")) return;
    for (const input of node.inputs ?? []) {
      const values = node.widgets?.find((widget) => widget.name === input.widget?.name)?.options?.values;
      if (Array.isArray(values) && values[0] === "auto" && values.includes("0.5")) input.type = NUMBERS;
    }
  },
});
