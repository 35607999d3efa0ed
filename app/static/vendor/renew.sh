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
const features = [
  { type: "Feature", properties: { kind: "land" }, geometry: feature(land, land.objects.land).features[0].geometry },
  { type: "Feature", properties: { kind: "border" }, geometry: mesh(countries, countries.objects.countries, (a, b) => a !== b) },
];
const rounded = (key, value) => (typeof value === "number" ? Math.round(value * 100) / 100 : value);
console.log(JSON.stringify({ type: "FeatureCollection", features }, rounded));
'
