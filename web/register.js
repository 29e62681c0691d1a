// The pack's extensions of the front end. Where the pack lies in custom_nodes twice, the copy that loads first is taken and the
// other one says so once; the front end itself would fail on each extension.

import { app } from "../../scripts/app.js";

const FOLDER = decodeURIComponent(new URL(".", import.meta.url).pathname.split("/").at(-2));
let told = false;

/** Register an extension, unless another copy of the pack did. */
export function register(extension) {
  if (!app.extensions.some((one) => one.name === extension.name)) {
    app.registerExtension(extension);
  } else if (!told) {
    told = true;
    console.warn(`EditedID is installed twice, once in the folder ${FOLDER}: delete one of its folders from custom_nodes and start `
      + "ComfyUI again.");
  }
}
