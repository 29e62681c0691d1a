// The pack's templates in the user's language. The front end translates the host's own templates only, and no note on a canvas; so
// the words of ours are changed when one is opened, before there is a graph. What a user has written has no row and stays.
import { register } from "../register.js";
import { TEMPLATES } from "../templates_table.js";
import { language } from "../words.js";

register({
  name: "editedid.Templates",

  beforeConfigureGraph(graph) {
    const words = TEMPLATES[language()];
    const notes = (graph.nodes ?? []).filter((node) => node.type === "MarkdownNote" && node.widgets_values?.[0]);
    if (!words || !notes.some((note) => note.widgets_values[0].split("\n\n")[0] in words)) return;
    const said = (text) => words[text] ?? text;
    for (const note of notes) note.widgets_values[0] = note.widgets_values[0].split("\n\n").map(said).join("\n\n");
    for (const group of graph.groups ?? []) group.title = said(group.title);
    for (const node of graph.nodes) {
      if (node.title) node.title = said(node.title);
      for (const input of node.inputs ?? []) if (input.label) input.label = said(input.label);
    }
  },
});
