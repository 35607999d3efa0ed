// Places on a map as numbers that people read and send.

/** [west, south, east, north] in degrees with as many digits as a pixel of the map tells apart. */
export function roundedBox(bounds, zoom) {
  const digits = digitsAt(zoom);
  const [west, east] = [bounds.getWest(), bounds.getEast()];
  const whole = east - west >= 360;
  const lon = (value) => Number(wrapped(value).toFixed(digits));
  return [
    whole ? -180 : lon(west), Number(Math.max(bounds.getSouth(), -90).toFixed(digits)),
    whole ? 180 : lon(east), Number(Math.min(bounds.getNorth(), 90).toFixed(digits)),
  ];
}

/** Decimals of a degree that one pixel is worth. */
export function digitsAt(zoom) {
  return Math.min(7, Math.max(1, Math.ceil(Math.log10((256 * 2 ** zoom) / 360))));
}

/** A longitude from -180 to 180. */
export function wrapped(lon) {
  return lon >= -180 && lon <= 180 ? lon : ((((lon + 180) % 360) + 360) % 360) - 180;
}
