cwlVersion: v1.0
class: CommandLineTool
id: stac
doc: A STAC item staged in as a directory; a catalog made of it.
baseCommand: [sh, -c]
arguments:
  - |
    cat "$1"/scene/scene.tif > copy.tif
    cat > item.json <<'END'
    {"type": "Feature", "stac_version": "1.0.0", "id": "made", "geometry": null, "properties": {"datetime": null},
     "links": [], "assets": {"data": {"href": "./copy.tif", "type": "image/tiff"}}}
    END
    cat > catalog.json <<'END'
    {"type": "Catalog", "stac_version": "1.0.0", "id": "results", "description": "what was made",
     "links": [{"rel": "item", "href": "./item.json", "type": "application/geo+json"}]}
    END
  - sh
inputs: {item: {type: Directory, inputBinding: {position: 1}}}
outputs:
  results: {type: Directory, outputBinding: {glob: .}}
