// A slider that the Tab key reaches for the first time takes the middle of its label, not its
// handle, for the place that the keyboard moves, and jumps there: the design would change without
// being asked. So the place is set to the handle's before the slider hears of the focus.
document.addEventListener("focus", (event) => {
  if (!event.target.classList?.contains("irs-line")) return;
  const container = event.target.closest(".shiny-input-container");
  const slider = $(container.querySelector("input")).data("ionRangeSlider");
  if (slider.target) return;
  slider.target = "single";
  slider.current_plugin = slider.plugin_count;
  slider.coords.p_gap = 0;
  slider.coords.p_pointer = slider.coords.p_single_fake;
}, true);
