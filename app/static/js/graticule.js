// Lines of equal longitude and latitude on a map, with their degrees: where there are no tiles they say where one is.

// pixels: what the scale takes at the left and at the bottom, and the buttons at the top; what a longitude is wide
const SCALE = 100, ABOVE_SCALE = 36, BUTTONS = 100, WIDE = 64;
const APART = 90; // pixels from line to line, at least
const STEPS = [1, 2, 5, 10, 15, 30, 45, 90];

/** The distance of two lines, in degrees: a round one, at least so large. */
export function step(least) {
  if (least > 1) return STEPS.find((each) => each >= least) ?? STEPS.at(-1);
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((each) => each * power >= least * 0.9999);
}

/** "12.5° W". of: the letters of what is above and below 0. */
export function degrees(value, of, digits) {
  const turned = of === "EW" ? ((((value + 180) % 360) + 360) % 360) - 180 : value;
  const text = Math.abs(turned).toFixed(digits);
  return Number(text) === 0 ? "0°" : `${text}° ${of[turned > 0 ? 0 : 1]}`;
}

/** Keep a map gridded. */
export function gridded(L, map) {
  map.createPane("grid").style.zIndex = 160;
  map.createPane("degrees").style.zIndex = 450; // above what is shown, which may cover all of the map
  for (const name of ["grid", "degrees"]) map.getPane(name).style.pointerEvents = "none";
  const renderer = L.svg({ pane: "grid", padding: 0.2 });
  const group = L.layerGroup().addTo(map);
  const line = (ends) => L.polyline(ends, { pane: "grid", renderer, interactive: false, className: "grid", weight: 1 });
  const label = (place, text, kind) => L.marker(place, {
    pane: "degrees", interactive: false, keyboard: false,
    icon: L.divIcon({ className: `grid-label ${kind}`, html: text, iconSize: null }),
  });

  function draw() {
    group.clearLayers();
    const bounds = map.getBounds();
    const [west, east, south, north] = [bounds.getWest(), bounds.getEast(), bounds.getSouth(), bounds.getNorth()];
    if (!(east > west)) return;
    const size = map.getSize();
    for (const [from, to, of, pixels] of [[west, east, "EW", size.x], [south, north, "NS", size.y]]) {
      const apart = step((to - from) * (APART / Math.max(pixels, APART)));
      const digits = Math.max(0, Math.ceil(-Math.log10(apart) - 1e-9));
      for (let number = Math.ceil(from / apart); number * apart < to; number += 1) {
        const value = number * apart;
        const ends = of === "EW" ? [[-85, value], [85, value]] : [[value, west - 20], [value, east + 20]];
        group.addLayer(line(ends));
        const at = map.latLngToContainerPoint(of === "EW" ? [south, value] : [value, west]);
        if (of === "EW" ? at.x < SCALE || at.x > size.x - WIDE : at.y < BUTTONS || at.y > size.y - ABOVE_SCALE) continue;
        const place = of === "EW" ? [south, value] : [value, west];
        group.addLayer(label(place, degrees(value, of, digits), of === "EW" ? "below" : "beside"));
      }
    }
  }
  map.on("moveend resize", draw);
  draw();
}
