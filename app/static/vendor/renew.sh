#!/bin/sh
# Fetch the libraries of the pages anew from npm: ./renew.sh, in any directory; then look at what git says of it.
# The versions are those that README.md names: change both together.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fetch() { # name version: into $work/name
    npm pack --silent "$1@$2" >/dev/null
    mkdir "$1"
    tar -xzf "$1-$2.tgz" -C "$1" --strip-components=1
}

fetch leaflet 1.9.4
fetch world-atlas 2.0.2
fetch topojson-client 3.1.0

mkdir -p "$here/leaflet" "$here/natural-earth"
cp leaflet/LICENSE leaflet/dist/leaflet.css "$here/leaflet/"
sed '/sourceMappingURL/d' leaflet/dist/leaflet.js >"$here/leaflet/leaflet.js"

# One picture of the world: its land, and the lines between two countries. Two decimals of a degree are 1.1 km.
cp world-atlas/LICENSE "$here/natural-earth/"
node >"$here/natural-earth/world.json" -e '
const { feature, mesh } = require("./topojson-client/dist/topojson-client.js");
const land = require("./world-atlas/land-110m.json"), countries = require("./world-atlas/countries-110m.json");
// Here they go on beyond 180 degrees, since a map shows the world several times; around the pole they are closed below.
function flat(line) {
  let turn = 0;
  const on = line.map(([lon, lat], i) => {
    if (i && Math.abs(lon - line[i - 1][0]) > 180) turn += lon < line[i - 1][0] ? 360 : -360;
    return [lon + turn, lat];
  });
  const [first, last] = [on[0], on.at(-1)];
  const closed = turn === 0 ? on : [...on, [last[0], -90], [first[0], -90], first];
  const middle = closed.reduce((sum, [lon]) => sum + lon, 0) / closed.length;
  return closed.map(([lon, lat]) => [lon - 360 * Math.round(middle / 360), lat]);
}
const shape = feature(land, land.objects.land).features[0].geometry;
const lines = mesh(countries, countries.objects.countries, (a, b) => a !== b);
const features = [
  { kind: "land", type: "MultiPolygon", coordinates: shape.coordinates.map((polygon) => polygon.map(flat)) },
  { kind: "border", type: "MultiLineString", coordinates: lines.coordinates },
].map(({ kind, ...geometry }) => ({ type: "Feature", properties: { kind }, geometry }));
const rounded = (key, value) => (typeof value === "number" ? Math.round(value * 100) / 100 : value);
console.log(JSON.stringify({ type: "FeatureCollection", features }, rounded));
'
