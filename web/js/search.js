// Restore Identity is found by the words people type. The front end ranks a name by how well it fits the words, equals by how
// often they are used and by the place of the word and the length of the name. It has no rank for a node's other words, such as
// "reactor": they count as a name that merely resembles them. Here such a word ranks before a resemblance, and behind every name
// that holds it; the pack's own name finds this node before the pack's expert nodes, as if "EditedID" were all of its name; and
// "identity" finds it before the pack's blueprint of it and before Fit Identity, whose names are shorter. Chinese has no spaces: a
// word that stands in the Chinese part of the name counts as if the name began with it.
import { register } from "../register.js";
import { language } from "../words.js";

const NODE = "EditedIDRestoreIdentity", FIT = "EditedIDFitIdentity", BLUEPRINT = "Restore identity";
const STARTS_SO = 1, HOLDS_WORD = 2, HOLDS_LETTERS = 3, RESEMBLES = 9; // the front end's ranks
const OTHER_WORDS = 8; // ours, between its 5 and 9
const NEARLY_EQUAL = 0.205; // of the front end's distance, of which 0.2 at most is for the length of the name
const PLACE = BLUEPRINT.indexOf("identity") + BLUEPRINT.length / 2; // the front end's measure, of the blueprint's name
const CHINESE = "Face ID 人脸身份还原".length; // before the English name in brackets

function rank([fit, often, place, length, distance]) {
  if (fit === RESEMBLES && distance < NEARLY_EQUAL) return [OTHER_WORDS, often, place, length, distance];
  if (fit === HOLDS_WORD) return [fit, often, Math.min(place, PLACE - 0.5), length, distance];
  const at = place - length / 2, isName = length === NODE.length;
  if (fit === STARTS_SO && isName) return [fit, often, place, "EditedID".length, distance];
  if (fit === HOLDS_LETTERS && !isName && at < CHINESE && language() === "zh") return [STARTS_SO, often, 0, 0, distance];
  return [fit, often, place, length, distance];
}

const RANKS = {
  [NODE]: rank,
  [FIT]: ([fit, often, place, ...more]) => [fit, often, fit === HOLDS_WORD ? Math.max(place, PLACE) : place, ...more],
};

register({
  name: "editedid.Search",

  beforeRegisterVueAppNodeDefs(defs) {
    for (const def of defs.filter((one) => one.name in RANKS)) {
      // the front end's own function puts the number of uses, negative, behind the fit; a new node has none
      def.postProcessSearchScores = ([fit, ...more]) => RANKS[def.name]([fit, 0, ...more]);
    }
  },
});
