// Restore Identity and Super-Resolve Face: what is being done while they run, before and after with a line a face when they
// are done. Fit Identity: what is being done.
// Works in the classic renderer and in Nodes 2.0: a plain DOM widget, and nothing of it is stored in the workflow.
import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import "../face_map.js"; // first, so that the map stands above the result
import { register } from "../register.js";
import { tapsAreClicks } from "../taps.js";
import { say, told } from "../words.js";

const NODES = ["EditedIDRestoreIdentity", "EditedIDSuperResolveFace"];
const SAYS_ONLY = ["EditedIDFitIdentity"]; // the front end itself shows its result
const STYLE = `
.editedid-result { display: flex; flex-direction: column; gap: 6px; box-sizing: border-box; width: 100%; height: 100%;
  min-height: 24px; padding: 2px 4px; font: 12px/1.35 system-ui, sans-serif; color: var(--input-text, #ddd);
  overflow: hidden; }
.editedid-result.done { min-height: 330px; }
.editedid-result [hidden] { display: none !important; }
.editedid-stage { min-height: 16px; }
.editedid-compare { position: relative; flex: 1 1 200px; min-height: 160px; margin: 0; overflow: hidden;
  background: var(--comfy-input-bg, #222); border-radius: 4px; }
.editedid-compare img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.editedid-compare span { position: absolute; bottom: 4px; padding: 0 5px; border-radius: 3px; background: #000a;
  color: #fff; pointer-events: none; }
.editedid-bar { display: flex; align-items: center; gap: 6px; }
.editedid-bar input { flex: 1; min-width: 60px; }
.editedid-bar button { min-width: 28px; min-height: 24px; color: inherit; background: var(--comfy-input-bg, #222);
  border: 1px solid var(--border-color, #555); border-radius: 4px; }
.editedid-result :focus-visible { outline: 2px solid #4a9eff; outline-offset: 1px; }
.editedid-text { flex: 0 1 auto; max-height: 45%; overflow-y: auto; margin: 0; padding: 0 0 0 2px; list-style: none; }
.editedid-text li { padding: 1px 0; overflow-wrap: anywhere; user-select: text; }
.editedid-text .caution::before { content: "⚠ "; }
`;

function make(tag, attributes = {}, ...children) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

class Result {
  constructor(node) {
    this.node = node;
    this.pictures = [];
    this.index = 0;
    this.stage = make("div", { className: "editedid-stage", hidden: true });
    this.stage.setAttribute("role", "status");
    this.before = make("img", { alt: say("The edit, before") });
    this.after = make("img", { alt: say("The restored picture, after") });
    this.names = [make("span", { textContent: say("before") }), make("span", { textContent: say("after") })];
    this.names[0].style.left = this.names[1].style.right = "4px";
    this.figure = make("figure", { className: "editedid-compare", hidden: true }, this.before, this.after, ...this.names);
    this.slider = make("input", { type: "range", min: 0, max: 100, value: 50 });
    this.slider.setAttribute("aria-label", say("How much of the picture is shown as before"));
    this.slider.addEventListener("input", () => this.divide());
    this.steps = [this.stepper("‹", say("Previous picture"), -1), this.stepper("›", say("Next picture"), 1)];
    this.count = make("span");
    this.bar = make("div", { className: "editedid-bar", hidden: true }, this.slider, this.steps[0], this.count, this.steps[1]);
    this.text = make("ul", { className: "editedid-text", hidden: true, tabIndex: 0 }); // it scrolls, by key too
    this.text.setAttribute("aria-label", say("The result in words"));
    const style = make("style", { textContent: STYLE });
    this.element = make("div", { className: "editedid-result" }, style, this.stage, this.figure, this.bar, this.text);
    this.figure.addEventListener("pointermove", (event) => {
      const box = this.figure.getBoundingClientRect();
      if (!box.width) return;
      this.slider.value = (100 * (event.clientX - box.left)) / box.width;
      this.divide();
    });
    this.element.addEventListener("pointerdown", (event) => event.stopPropagation());
    tapsAreClicks(this.element);
    this.element.addEventListener("wheel", (event) => event.target.closest(".editedid-text") && event.stopPropagation());
    const widget = node.addDOMWidget("result", "EDITEDID_RESULT", this.element, {
      serialize: false, hideOnZoom: false, hideInPanel: true,
      getMinHeight: () => (this.pictures.length ? 330 : 24), getValue: () => "", setValue: () => {},
    });
    widget.serialize = false;
    node.hideOutputImages = true; // Nodes 2.0: the picture is shown here
    node.onDrawBackground = () => {}; // classic: likewise
  }

  stepper(sign, name, by) {
    const button = make("button", { type: "button", textContent: sign });
    button.setAttribute("aria-label", name);
    button.addEventListener("click", () => this.open(this.index + by));
    return button;
  }

  say(words) {
    this.stage.textContent = words;
    this.stage.hidden = !words;
  }

  divide() {
    this.after.style.clipPath = `inset(0 0 0 ${this.slider.value}%)`;
  }

  open(index) {
    this.index = (index + this.pictures.length) % this.pictures.length;
    [this.before.src, this.after.src] = this.pictures[this.index];
    this.count.textContent = `${this.index + 1} / ${this.pictures.length}`;
    for (const element of [...this.steps, this.count]) element.hidden = this.pictures.length < 2;
    this.node.imageIndex = this.index;
  }

  show(output) {
    this.say("");
    const after = output.images ?? [], before = output.editedid_before ?? [];
    this.pictures = after.map((file, i) => [address(before[i] ?? file), address(file)]);
    const line = (text, className) => make("li", { textContent: told(text), className });
    this.text.replaceChildren(...(output.editedid_lines ?? []).map((text) => line(text, "line")),
      ...(output.editedid_cautions ?? []).map((text) => line(text, "caution")));
    this.text.hidden = !this.text.children.length;
    this.figure.hidden = this.bar.hidden = !this.pictures.length;
    this.element.classList.toggle("done", this.pictures.length > 0);
    if (this.pictures.length) {
      this.open(0);
      this.divide();
      this.node.imgs = this.pictures.map(([, file]) => make("img", { src: file })); // for the host's "Save Image"
    }
    if (!LiteGraph.vueNodesMode) {
      const [width, height] = this.node.computeSize();
      this.node.setSize([Math.max(this.node.size[0], width), Math.max(this.node.size[1], height)]);
    }
    this.node.setDirtyCanvas?.(true, true);
  }
}

function addStage(node) {
  const stage = make("div", { className: "editedid-stage" }, "");
  stage.setAttribute("role", "status");
  Object.assign(stage.style, { font: "12px/20px system-ui, sans-serif", minHeight: "20px", color: "var(--input-text, #ddd)" });
  const widget = node.addDOMWidget("stage", "EDITEDID_STAGE", stage, {
    serialize: false, hideOnZoom: false, hideInPanel: true, getMinHeight: () => 20, getMaxHeight: () => 20, getValue: () => "", setValue: () => {},
  });
  widget.serialize = false;
  node.editedidResult = { say: (words) => (stage.textContent = words) };
}

function address(file) {
  return api.apiURL(`/view?${new URLSearchParams(file)}${app.getRandParam?.() ?? ""}`);
}

function* everyNode(graph) {
  for (const node of graph?.nodes ?? []) {
    yield node;
    if (node.subgraph) yield* everyNode(node.subgraph);
  }
}

function results() {
  return [...everyNode(app.rootGraph ?? app.graph)].filter((node) => node.editedidResult);
}

register({
  name: "editedid.Result",

  setup() {
    api.addEventListener("editedid.progress", ({ detail }) => {
      const id = String(detail.node).split(":").pop();
      for (const node of results()) if (String(node.id) === id) node.editedidResult.say(told(detail.text));
    });
    for (const end of ["execution_interrupted", "execution_error", "execution_success", "execution_start"])
      api.addEventListener(end, () => results().forEach((node) => node.editedidResult.say("")));
  },

  nodeCreated(node) {
    if (SAYS_ONLY.includes(node.comfyClass)) addStage(node);
    if (!NODES.includes(node.comfyClass)) return;
    node.editedidResult = new Result(node);
    const before = node.onExecuted;
    node.onExecuted = function (output) {
      before?.call(this, output);
      this.editedidResult.show(output);
    };
  },

  afterConfigureGraph() {
    for (const node of results().filter((node) => NODES.includes(node.comfyClass))) {
      const output = app.nodeOutputs?.[node.id];
      if (output?.editedid_lines) node.editedidResult.show(output);
    }
  },
});
