// Sliders. Shiny tells the server a slider's place when it has been left alone for a quarter of a
// second. Here the server is told at once, and while it answers, of the newest place only.
let isAnswering = false;

// Numbers and lists that a slider has moved, of which the server was not told yet.
const moved = new Set();
let isFollowing = false;

const findSlider = (input) => $(input).data("ionRangeSlider");
const findSliderOf = (line) =>
  findSlider(line.closest(".shiny-input-container").querySelector("input"));

/** Return the number's field or the list that a slider moves; null for one that stands alone. */
const findMoved = (input) =>
  input.closest(".moves")?.querySelector("input[type=number], select") ?? null;

const isList = (control) => control.tagName === "SELECT";
const readPlace = (control) => isList(control) ? control.selectedIndex + 1 : control.valueAsNumber;

function writePlace(control, place) {
  if (isList(control)) control.selectedIndex = place - 1;
  else control.value = place;
  moved.add(control);
}

/** Move the slider of a number that was typed, or of a line that was chosen, as far as it goes. */
function followControl(control) {
  const input = control.closest(".moves")?.querySelector("input.js-range-slider");
  const slider = input && findSlider(input);
  if (!slider || Number.isNaN(readPlace(control))) return;
  if (readPlace(control) === slider.result.from) return;
  isFollowing = true;
  slider.update({from: readPlace(control)});
  isFollowing = false;
}

/** Tell the server every place that it does not know; return whether there was one. */
function tellPlaces() {
  let found = false;
  for (const input of document.querySelectorAll("input.js-range-slider")) {
    const control = findMoved(input);
    const place = findSlider(input)?.result.from;
    if (control) {
      if (!moved.delete(control)) continue;
      control.dispatchEvent(new Event("change", {bubbles: true}));
    } else {
      if (place === undefined || Shiny.shinyapp?.$inputValues[input.id] === place) continue;
      Shiny.setInputValue(input.id, place);
    }
    found = true;
  }
  isAnswering ||= found;
  return found;
}

/** Move the threshold of the figures that follow a slider. */
function moveThreshold(input) {
  const share = Number(findSlider(input).result.from);
  for (const figure of document.querySelectorAll(`[data-moved-by="${input.id}"]`)) {
    const at = JSON.parse(figure.dataset.places)[share - 1];
    for (const edge of figure.querySelectorAll(".from-threshold")) edge.setAttribute("x", at);
    for (const line of figure.querySelectorAll(".threshold")) {
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  $(document).on("change", "input.js-range-slider", (event) => {
    if (isFollowing) return;
    const control = findMoved(event.target);
    if (control) writePlace(control, findSlider(event.target).result.from);
    moveThreshold(event.target);
    if (!isAnswering) tellPlaces();
  });
  for (const kind of ["input", "change"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.matches("input[type=number], select")) followControl(event.target);
    });
  }
  $(document).on("shiny:value", keepFocus);
  $(document).on("shiny:idle", () => {
    isAnswering = false;
    tellPlaces();
  });
});

// A table that is made again takes the focus away from the button that asked for it.
function keepFocus(event) {
  const held = document.activeElement;
  if (held?.tagName !== "BUTTON" || !event.target.contains(held)) return;
  setTimeout(() => {
    const again = [...event.target.querySelectorAll("button")];
    again.find((button) => button.textContent === held.textContent)?.focus();
  });
}

// A button acts on what is seen: places that were not told yet go before it. A file is asked for
// past the socket, so its link is followed once the server has heard them.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button, a.btn");
  if (!button) return;
  const isLate = tellPlaces() || isAnswering;
  if (!isLate || !button.matches(".shiny-download-link")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  $(document).one("shiny:idle", () => setTimeout(() => button.click()));
}, true);

// The keyboard moves a slider from where the pointer last was, which is not where its handle is:
// the first key jumps, and every further one goes a little more than a step. So the pointer is set
// to the handle before the slider hears of a key or of the focus.
function aimAtHandle(event) {
  if (!event.target.classList?.contains("irs-line")) return;
  const slider = findSliderOf(event.target);
  slider.target ||= "single";
  slider.current_plugin = slider.plugin_count;
  slider.coords.p_gap = 0;
  slider.coords.p_pointer = slider.coords.p_single_fake;
}
document.addEventListener("focus", aimAtHandle, true);
document.addEventListener("keydown", aimAtHandle, true);

// After a key a slider looks at itself at the next of its rounds, up to 0.3 seconds later.
document.addEventListener("keydown", (event) => {
  if (event.target.classList?.contains("irs-line")) findSliderOf(event.target).updateScene();
});
