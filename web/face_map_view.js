// The face map: the edit's faces at the left, the photos at the right, and who is who between them. Plain DOM.

import { Choices, SKIP } from "./face_map_choices.js";
import { STYLE } from "./face_map_style.js";
import { doubtOf, optionsOf, stateOf } from "./face_map_words.js";
import { DRAG, tapsAreClicks } from "./taps.js";
import { say, told } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = 8;

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** One map. `onChange` gets the new text of `pairs` after every choice of the user. */
export class FaceMap {
  constructor(onChange) {
    this.onChange = onChange;
    this.onResize = () => {};
    this.content = make("div", { className: "efm-content" });
    this.status = make("div", { className: "efm-status", role: "status" });
    this.element = make("div", { className: "efm", role: "group", "aria-label": say("Face map: who is who") },
      make("style", { textContent: STYLE }), this.content, this.status);
    // the graph must neither pan nor take keys while somebody works here
    for (const kind of ["pointerdown", "pointermove", "pointerup", "dblclick"]) {
      this.element.addEventListener(kind, (event) => event.stopPropagation());
    }
    tapsAreClicks(this.element);
    this.element.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    });
    this.watch = new ResizeObserver(() => this.lines());
    this.watch.observe(this.content);
  }

  remove() {
    this.watch.disconnect();
  }

  height() {
    return Math.ceil(this.content.offsetHeight + this.status.offsetHeight) + 12;
  }

  /** Before the first run: what to do. `current` gives the text of `pairs`. */
  empty(current) {
    this.content.replaceChildren(make("p", { className: "efm-hint",
      textContent: say("Run once to see who is who.") }));
    this.say("");
    queueMicrotask(() => current() && this.say(`pairs: ${current()}`));
  }

  /** Show a run's faces. `current`: the text of `pairs` now; it may have changed since the run began. */
  show(data, current) {
    this.choices = new Choices(data);
    this.written = data.pairs;
    this.draw();
    this.say([...data.notes, current === data.pairs ? "" : say("pairs was changed since this run; run again to see it.")]
      .filter(Boolean).join(" "));
    this.onResize();
  }

  say(text) {
    this.status.textContent = text;
    this.status.hidden = !text;
  }

  draw() {
    const { data } = this.choices;
    this.edited = data.edited.map((face, place) => this.editCard(face, place));
    this.photos = data.photos.map((photo, place) => this.photoCard(photo, place));
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("aria-hidden", "true");
    this.svg.classList.add("efm-lines");
    const reset = make("button", { type: "button", className: "efm-reset", textContent: say("Match all by likeness"),
      disabled: this.choices.chosen.size === 0 });
    reset.addEventListener("click", () => this.choose(() => this.choices.chosen.clear(),
      say("All faces are matched by likeness at the next run.")));
    this.content.replaceChildren(
      make("div", { className: "efm-columns" },
        make("div", { className: "efm-column", role: "list", "aria-label": say("Faces of the edit") },
          make("div", { className: "efm-title", textContent: say("edit"), role: "presentation" }), ...this.edited),
        make("div", { className: "efm-column efm-right", role: "list", "aria-label": say("Faces of the photos") },
          make("div", { className: "efm-title", textContent: say("photos"), role: "presentation" }), ...this.photos),
        this.svg),
      reset);
    if (this.hidden(data)) this.content.append(make("p", { className: "efm-hint", textContent: this.hidden(data) }));
    this.lines();
  }

  hidden(data) {
    const more = data.counts[0] - data.edited.length + data.counts[1] - data.photos.length;
    return more > 0 ? say("{more} more faces are not shown; name them in pairs.", { more }) : "";
  }

  /** Number of the person whom a face of the edit shows, from 1; 0 for nobody. */
  person(place) {
    const [first] = this.choices.photosOf(place);
    return first === undefined ? 0 : this.choices.data.photos[first].person;
  }

  badge(person) {
    const properties = { className: `efm-badge efm-colour-${person ? (person - 1) % COLOURS : "none"}`,
      textContent: person || "–", "aria-hidden": "true" };
    return make("span", properties);
  }

  editCard(face, place) {
    const state = this.choices.stateOf(place);
    const person = this.person(place);
    const words = stateOf(this.choices, place);
    const button = make("button", { type: "button", className: "efm-face", "aria-pressed": String(state === "skip"),
      "aria-label": say("Edit, {face}: {words}. Leave this face alone", { face: told(face.label), words }),
      title: say("Click: leave this face alone, or not. Drag onto a photo: it is this person. Up and down keys: another person.") },
      make("img", { src: face.picture, alt: "", draggable: false }), this.badge(person));
    this.drags(button, place);
    button.addEventListener("keydown", (event) => this.keys(event, place));
    const select = make("select", { "aria-label": say("Who is {face} of the edit?", { face: told(face.label) }) });
    for (const [label, value] of optionsOf(this.choices, place)) {
      select.append(make("option", { textContent: label, value: JSON.stringify(value) }));
    }
    select.value = JSON.stringify(this.choices.chosen.get(place) ?? null);
    select.addEventListener("change", () => this.pair(place, JSON.parse(select.value)));
    const text = make("div", { className: "efm-words" }, select,
      make("span", { className: "efm-state", textContent: words }));
    const doubt = doubtOf(this.choices, place) ? " efm-doubt" : "";
    return make("div", { className: `efm-card efm-${state}${doubt}`, role: "listitem" }, button, text);
  }

  photoCard(photo, place) {
    const users = this.choices.data.edited.filter((_, edit) => this.choices.photosOf(edit).includes(place));
    const named = { photo: told(photo.label), person: photo.person };
    const alt = users.length ? say("Photos, {photo}: person {person}, used", named)
      : say("Photos, {photo}: person {person}, not used", named);
    return make("div", { className: `efm-card efm-photo${users.length ? "" : " efm-unused"}`, role: "listitem",
      "data-photo": place }, make("div", { className: "efm-face" }, make("img", { src: photo.picture, alt,
      draggable: false }), this.badge(photo.person)));
  }

  /** Up and down: the next choice of the list. */
  keys(event, place) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const options = optionsOf(this.choices, place).map(([, value]) => JSON.stringify(value));
    const now = options.indexOf(JSON.stringify(this.choices.chosen.get(place) ?? null));
    this.pair(place, JSON.parse(options[(now + step + options.length) % options.length]));
    this.edited[place].querySelector("button").focus();
  }

  pair(place, value) {
    this.choose(() => this.choices.set(place, value), null, place);
  }

  choose(change, words, place) {
    const focused = this.element.contains(document.activeElement) ? document.activeElement.tagName : null;
    change();
    this.draw();
    if (place !== undefined && focused) this.edited[place].querySelector(focused.toLowerCase())?.focus();
    this.say(words ?? say("Edit, {face}: {words}. Run again to apply it.", {
      face: told(this.choices.data.edited[place].label),
      words: stateOf(this.choices, place),
    }));
    this.onChange(this.choices.text());
    this.onResize();
  }

  /** Drag a face of the edit onto a photo; a click without a drag leaves the face alone, or not. */
  drags(button, place) {
    let start = null;
    let dragged = false;
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      start = [event.clientX, event.clientY];
      dragged = false;
      button.setPointerCapture(event.pointerId);
    });
    button.addEventListener("pointermove", (event) => {
      if (!start) return;
      dragged ||= Math.hypot(event.clientX - start[0], event.clientY - start[1]) > DRAG;
      if (dragged) this.aim(button, event);
    });
    button.addEventListener("pointerup", (event) => {
      const photo = dragged ? this.photoAt(event) : null;
      start = null;
      this.aim(null);
      if (photo !== null) this.pair(place, this.choices.photosOfPerson(this.choices.data.photos[photo].person, place));
    });
    button.addEventListener("pointercancel", () => {
      start = null;
      this.aim(null);
    });
    button.addEventListener("click", () => {
      if (!dragged) this.pair(place, this.choices.chosen.get(place) === SKIP ? null : SKIP);
      dragged = false;
    });
  }

  photoAt(event) {
    const card = document.elementFromPoint(event.clientX, event.clientY)?.closest?.(".efm-photo");
    return card && this.element.contains(card) ? Number(card.getAttribute("data-photo")) : null;
  }

  /** The line that follows a drag; none without a face. */
  aim(button, event) {
    this.svg.querySelector(".efm-aim")?.remove();
    this.photos.forEach((card) => card.classList.remove("efm-target"));
    if (!button) return;
    const box = this.svg.getBoundingClientRect();
    const zoom = box.width / this.svg.clientWidth || 1; // the graph's zoom
    const to = [(event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom];
    this.line(this.middle(button, true), to, "efm-aim");
    const photo = this.photoAt(event);
    if (photo !== null) this.photos[photo].classList.add("efm-target");
  }

  middle(element, right) {
    let [x, y] = [right ? element.offsetWidth : 0, element.offsetHeight / 2];
    for (let at = element; at && at !== this.svg.parentElement; at = at.offsetParent) {
      x += at.offsetLeft;
      y += at.offsetTop;
    }
    return [x, y];
  }

  lines() {
    if (!this.svg) return;
    this.svg.replaceChildren();
    this.edited.forEach((card, place) => {
      const state = this.choices.stateOf(place);
      this.choices.photosOf(place).forEach((photo, rank) => {
        const from = this.middle(card, true);
        const to = this.middle(this.photos[photo].querySelector(".efm-face"), false);
        const colour = (this.choices.data.photos[photo].person - 1) % COLOURS;
        this.line(from, to, `efm-line-${colour} efm-line-${doubtOf(this.choices, place) ? "doubt" : state}${rank ? " efm-further" : ""}`);
      });
    });
  }

  line(from, to, classes) {
    const bend = Math.max(12, (to[0] - from[0]) / 2);
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", `M${from} C${from[0] + bend},${from[1]} ${to[0] - bend},${to[1]} ${to}`);
    path.setAttribute("class", `efm-line ${classes}`);
    this.svg.append(path);
  }
}
