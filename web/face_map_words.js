// What the face map says about a face of the edit: who it is, what is doubtful, and what it can be instead.

import { SKIP } from "./face_map_choices.js";
import { say, told } from "./words.js";

/** The state of a face of the edit in a few words. */
export function stateOf(choices, place) {
  const { data } = choices;
  const state = choices.stateOf(place);
  if (state === "skip") return say("left alone");
  if (state === "open") return say("matched again at the next run");
  if (state === "none") {
    const refused = data.refused.find((pair) => pair.edited === place);
    return refused ? say("likely another person ({likeness})", { likeness: refused.likeness.toFixed(2) })
      : say("nobody is left for it");
  }
  const photos = choices.photosOf(place);
  const likeness = choices.likeness(place, photos);
  const number = data.photos[photos[0]].person;
  const person = likeness === null ? say("person {person}", { person: number })
    : say("person {person}, likeness {likeness}", { person: number, likeness: likeness.toFixed(2) });
  if (state === "chosen") return say("{person}, as chosen", { person });
  const doubt = doubtOf(choices, place);
  return doubt ? say("{person}; doubtful: {doubt}", { person, doubt: told(doubt) }) : person;
}

/** What makes a match doubtful; empty where it was chosen or is sure. */
export function doubtOf(choices, place) {
  if (choices.stateOf(place) !== "found") return "";
  return choices.data.matched.find((pair) => pair.edited === place).doubt;
}

/** What a face of the edit can be: [label, choice], the automatic match first. */
export function optionsOf(choices, place) {
  const { data } = choices;
  const like = (photos) => {
    const likeness = choices.likeness(place, photos);
    return likeness === null ? "" : ` (${likeness.toFixed(2)})`;
  };
  const options = [[say("match by likeness"), null], [say("leave alone"), SKIP]];
  for (const person of new Set(data.photos.map((photo) => photo.person))) {
    const photos = choices.photosOfPerson(person, place);
    const named = photos.length > 1 ? say("person {person}, all {count} photos", { person, count: photos.length })
      : say("person {person}", { person });
    options.push([`${named}${like(photos)}`, photos]);
    if (photos.length === 1) continue;
    for (const photo of photos) {
      const one = say("person {person}, {photo}", { person, photo: told(data.photos[photo].label) });
      options.push([`${one}${like([photo])}`, [photo]]);
    }
  }
  const chosen = choices.chosen.get(place);
  if (chosen && !options.some(([, value]) => JSON.stringify(value) === JSON.stringify(chosen))) {
    const photos = chosen.map((photo) => data.photos[photo].name).join(" + ");
    options.push([`${say("photos {photos}", { photos })}${like(chosen)}`, chosen]);
  }
  return options;
}
