// What the user chose on the face map, and the text that says it. Knows no page and no node.

export const SKIP = "skip";

/** The choices of one map: for a face of the edit (its place in data.edited) the places of its photos, or SKIP. */
export class Choices {
  constructor(data) {
    this.data = data;
    this.chosen = new Map();
    for (const pair of data.matched) if (pair.chosen) this.chosen.set(pair.edited, pair.photos);
    data.edited.forEach((face, place) => {
      if (face.skip) this.chosen.set(place, SKIP);
    });
  }

  /** Photos of a face: chosen, or found where that is still open; [] where it has none. */
  photosOf(place) {
    const chosen = this.chosen.get(place);
    if (chosen === SKIP) return [];
    if (chosen) return chosen;
    const found = this.data.matched.find((pair) => pair.edited === place);
    return found && !found.chosen && !this.taken(place, found.photos) ? found.photos : [];
  }

  /** How a face came to its photos: "skip", "chosen", "found", "open" (matched again at the next run) or "none". */
  stateOf(place) {
    const chosen = this.chosen.get(place);
    if (chosen) return chosen === SKIP ? "skip" : "chosen";
    if (this.photosOf(place).length) return "found";
    const found = this.data.matched.find((pair) => pair.edited === place);
    return found || this.data.edited[place].skip ? "open" : "none";
  }

  /** Whether another face of the same picture has taken one of these photos. */
  taken(place, photos) {
    return [...this.chosen].some(([other, chosen]) => other !== place && chosen !== SKIP
      && this.pictureOf(other) === this.pictureOf(place) && chosen.some((photo) => photos.includes(photo)));
  }

  pictureOf(place) {
    const name = this.data.edited[place].name;
    return name.includes(".") ? name.split(".")[0] : this.data.counts[0];
  }

  /** All photos of a person, the one most like a face of the edit first. */
  photosOfPerson(person, place) {
    const likeness = this.data.edited[place].likeness;
    return this.data.photos.map((_, photo) => photo).filter((photo) => this.data.photos[photo].person === person)
      .sort((one, other) => (likeness[other] ?? 0) - (likeness[one] ?? 0));
  }

  set(place, value) {
    if (value === null) this.chosen.delete(place);
    else this.chosen.set(place, value);
  }

  /** The likeness of a face to the first of these photos, or null. */
  likeness(place, photos) {
    return photos.length ? this.data.edited[place].likeness[photos[0]] : null;
  }

  /** The text for the node's `pairs`: empty without a choice. */
  text() {
    if (!this.chosen.size) return "";
    const entries = [...this.chosen].sort((one, other) => one[0] - other[0]).map(([place, value]) => {
      const face = this.data.edited[place];
      const seen = value === SKIP ? face.likest : this.likeness(place, value);
      const photos = value === SKIP ? SKIP : value.map((photo) => this.data.photos[photo].name).join("+");
      return `${face.name}=${photos}${seen === null ? "" : ` (${seen.toFixed(2)})`}`;
    });
    return [`faces=${this.data.counts.join("/")}`, ...entries].join(", ");
  }
}
