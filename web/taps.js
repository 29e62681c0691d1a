export const DRAG = 6; // pixels until a press is a drag

/** A tap on a button of `element` is a click, also where the front end keeps the click from following (1.39). */
export function tapsAreClicks(element) {
  let began = null;
  element.addEventListener("touchstart", (event) => {
    began = event.touches.length === 1 ? event.touches[0] : null;
  }, { passive: true });
  element.addEventListener("touchend", (event) => {
    const ended = event.changedTouches[0];
    const button = event.target.closest("button");
    if (!button || !began || Math.hypot(ended.clientX - began.clientX, ended.clientY - began.clientY) > DRAG) return;
    event.preventDefault(); // the browser's own click would be a second one
    button.click();
  });
}
