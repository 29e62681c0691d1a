// What the pack's widgets say, in the front end's language. Widgets ask for their words in English; a language without a table,
// or a sentence without a row, stays English.

import { app } from "../../scripts/app.js";
import { RESULTS, WORDS } from "./words_table.js";

export function language() {
  return String(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Words of a widget, such as say("person {person}", { person: 2 }). */
export function say(words, values = {}) {
  return filled(WORDS[language()]?.[words] ?? words, values);
}

/** A sentence that a node sent, such as "Face 1: 0.29 → 0.52, restored". */
export function told(sentence) {
  return (RESULTS[language()] ?? []).reduce((text, [found, said]) => text.replace(new RegExp(found, "i"), said), sentence);
}
