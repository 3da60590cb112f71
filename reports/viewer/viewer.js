// One canvas, every image loaded once; what is shown is a matter of opacity.
const canvas = document.getElementById("scan");
const horizon = document.getElementById("horizon");
const told = document.getElementById("told");
const kinds = Array.from(document.querySelectorAll("input[name=kind]"));
const viewer = new niivue.Niivue({
  backColor: [1, 1, 1, 1],
  crosshairColor: [0.85, 0.37, 0, 0.8],
  crosshairWidth: 0.7,
  show3Dcrosshair: false,
  isColorbar: true,
  fontColor: [0.1, 0.1, 0.1, 1],
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
  trialsim.images.forEach((image, place) => viewer.setOpacity(place, isShown(image) ? 1 : 0));
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
    volume.cal_min = image.kind === "difference" ? image.reach * 0.1 : 0;
    volume.cal_max = image.reach;
    if (image.kind === "difference") {
      volume.colormap = "warm";
      volume.colormapNegative = "winter";
      volume.cal_minNeg = -image.reach;
      volume.cal_maxNeg = -image.reach * 0.1;
    } else if (image.kind === "uncertainty") {
      volume.colormap = "viridis";
      volume.cal_min = image.reach * 0.1;
    }
    viewer.addVolume(volume);
  }
  // the middle of the right hippocampus in MNI space
  viewer.scene.crosshairPos = viewer.mm2frac([27, -21, -15]);
  show();
  told.textContent = "";
}

kinds.forEach((box) => box.addEventListener("change", show));
horizon.addEventListener("input", show);
start().catch((fault) => {
  told.textContent = "This browser cannot draw the scans (" + fault.message + "): it needs WebGL 2.";
});
