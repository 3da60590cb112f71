// One canvas, every image read once; what is shown is a background with at most one layer on it.
const canvas = document.getElementById("scan");
const horizon = document.getElementById("horizon");
const told = document.getElementById("told");
const kinds = Array.from(document.querySelectorAll("input[name=kind]"));
const loaded = [];
const viewer = new niivue.Niivue({
  backColor: [0, 0, 0, 1],
  crosshairColor: [0.85, 0.37, 0, 0.8],
  crosshairWidth: 0.7,
  multiplanarShowRender: niivue.SHOW_RENDER.NEVER,
  isColorbar: true,
  fontColor: [0.8, 0.8, 0.8, 1],
  dragAndDropEnabled: false,
  logLevel: "error",
});

function isShown(image) {
  const kind = kinds.find((box) => box.checked).value;
  const months = Number(trialsim.horizons[horizon.value]);
  if (image.kind === "baseline") return kind !== "predicted";
  return image.kind === kind && image.months === months;
}

function show() {
  viewer.volumes = loaded.filter((volume, place) => isShown(trialsim.images[place]));
  [viewer.back, ...viewer.overlays] = viewer.volumes;
  viewer.updateGLVolume();
  const months = trialsim.horizons[horizon.value];
  document.getElementById("months").textContent = months + " months after baseline";
}

async function start() {
  await viewer.attachToCanvas(canvas);
  viewer.setSliceType(viewer.sliceTypeMultiplanar);
  for (const image of trialsim.images) {
    const volume = await niivue.NVImage.loadFromBase64({
      base64: image.data,
      name: image.kind + ".nii.gz",
    });
    // a color map resets the range, so the range comes after it
    const isDifference = image.kind === "difference";
    const isColored = isDifference || image.kind === "uncertainty";
    volume.colormap = isDifference ? "warm" : isColored ? "viridis" : "gray";
    if (isDifference) volume.colormapNegative = "winter";
    volume.cal_min = isColored ? image.reach * 0.25 : 0;
    volume.cal_max = image.reach;
    volume.cal_minNeg = -image.reach;
    volume.cal_maxNeg = -image.reach * 0.25;
    volume.colorbarVisible = isColored;
    loaded.push(volume);
  }
  show();
  // the middle of the right hippocampus in MNI space
  viewer.scene.crosshairPos = viewer.mm2frac([27, -21, -15]);
  viewer.drawScene();
  told.textContent = "";
}

kinds.forEach((box) => box.addEventListener("change", show));
horizon.addEventListener("input", show);
start().catch((fault) => {
  told.textContent = "This browser cannot draw the scans (" + fault.message + "): it needs WebGL 2.";
});
