// The face map's looks. Colours come from the front end's theme; persons have one colour in both columns.

const PERSONS = ["#5ec4ff", "#ffaa50", "#8cdc78", "#e678c8", "#fae66e", "#9aa0ff", "#ff8080", "#60dcc8"];

export const STYLE = `
.efm { box-sizing: border-box; width: 100%; padding: 4px 8px 6px; color: var(--input-text, #ddd); font: 12px/1.35 sans-serif;
  container-type: inline-size; touch-action: pan-y; user-select: none; }
.efm * { box-sizing: border-box; }
.efm-columns { position: relative; display: grid; grid-template-columns: minmax(150px, 3fr) minmax(24px, 1fr) auto; }
.efm-column { display: flex; flex-direction: column; gap: 6px; min-width: 0; position: static; }
.efm-right { grid-column: 3; }
.efm-title { font-size: 11px; }
.efm-card { display: flex; gap: 8px; align-items: center; min-width: 0; padding: 3px; border-radius: 8px; position: static; }
.efm-face { position: relative; flex: none; width: 56px; height: 56px; padding: 0; border: 2px solid transparent;
  border-radius: 8px; background: none; line-height: 0; touch-action: none; }
button.efm-face { cursor: grab; }
.efm-face img { width: 100%; height: 100%; border-radius: 6px; pointer-events: none; }
.efm-badge { position: absolute; left: -2px; top: -2px; min-width: 18px; padding: 0 4px; border-radius: 9px;
  font: bold 12px/18px sans-serif; text-align: center; color: #101014; }
.efm-words { display: flex; flex-direction: column; gap: 2px; min-width: 0; flex: 1; }
.efm-words select { width: 100%; min-width: 0; height: 24px; padding: 0 4px; border-radius: 6px;
  border: 1px solid var(--border-color, #555); background: var(--comfy-input-bg, #222); color: inherit; font: inherit; }
.efm-state { overflow-wrap: anywhere; }
.efm-skip img, .efm-unused img, .efm-none img { filter: grayscale(1); opacity: 0.55; }
.efm-chosen .efm-state { font-weight: bold; }
.efm-target .efm-face, .efm button.efm-face:hover { border-color: var(--input-text, #ddd); }
.efm :is(button, select):focus-visible { outline: 2px solid var(--p-primary-color, #3b9eff); outline-offset: 2px; }
.efm-reset { margin: 6px 0 2px; padding: 4px 10px; border-radius: 6px; border: 1px solid var(--border-color, #555);
  background: var(--comfy-input-bg, #222); color: var(--input-text, #ddd); font: inherit; cursor: pointer; }
.efm-reset:disabled { cursor: default; opacity: 0.5; }
.efm-content { display: flow-root; }
.efm-hint { margin: 4px 0; }
.efm-status { padding: 4px 0; overflow-wrap: anywhere; }
.efm-lines { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; overflow: visible; }
.efm-line { fill: none; stroke-width: 2.5; }
.efm-line-doubt { stroke-dasharray: 7 5; }
.efm-doubt .efm-state::before { content: "? "; font-weight: bold; }
.efm-further { stroke-width: 1.5; stroke-dasharray: 2 3; }
.efm-aim { stroke: var(--input-text, #ddd); stroke-dasharray: 4 4; }
.efm-colour-none { background: #b8b8c0; }
${PERSONS.map((colour, i) => `.efm-colour-${i} { background: ${colour}; } .efm-line-${i} { stroke: ${colour}; }`).join("\n")}
@container (max-width: 330px) { .efm-face { width: 44px; height: 44px; } }
@container (min-width: 900px) { .efm-columns { grid-template-columns: minmax(150px, 420px) minmax(24px, 300px) auto; } }
`;
