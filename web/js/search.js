// Restore Identity is found by the words people type. The front end ranks a name by how well it fits the words, equals by how
// often they are used and by their length. It has no rank for a node's other words, such as "reactor": they count as a name
// that merely resembles them. Here such a word ranks before a resemblance, and behind every name that holds it; and the pack's
// own name finds this node before the pack's expert nodes, as if "EditedID" were all of its name.
import { app } from "../../../scripts/app.js";

const NODE = "EditedIDRestoreIdentity";
const STARTS_SO = 1, RESEMBLES = 9, OTHER_WORDS = 8; // the front end's ranks, and ours between its 5 and 9
const NEARLY_EQUAL = 0.205; // of the front end's distance, of which 0.2 at most is for the length of the name

function rank([fit, often, place, length, distance]) {
  if (fit === RESEMBLES && distance < NEARLY_EQUAL) return [OTHER_WORDS, often, place, length, distance];
  if (fit === STARTS_SO && length === NODE.length) return [fit, often, place, "EditedID".length, distance];
  return [fit, often, place, length, distance];
}

app.registerExtension({
  name: "editedid.Search",

  beforeRegisterVueAppNodeDefs(defs) {
    const ours = defs.find((def) => def.name === NODE);
    // the front end's own function puts the number of uses, negative, behind the fit; a new node has none
    if (ours) ours.postProcessSearchScores = ([fit, ...more]) => rank([fit, 0, ...more]);
  },
});
