cwlVersion: v1.2
$namespaces:
  s: https://schema.org/
s:softwareVersion: 1.4.1
s:keywords: water, Sentinel-2
s:license: https://spdx.org/licenses/MIT.html
s:codeRepository: {URL: "https://example.com/water.git"}
s:author:
- class: s:Person
  s:name: Jane Doe
  s:affiliation: {class: s:Organization, s:name: ACME}
- {class: s:Person, s:name: John Doe}
schemas: [http://schema.org/version/9.0/schemaorg-current-http.rdf]
$schemas: [https://schema.org/version/latest/schemaorg-current-https.rdf]
$graph:
- class: Workflow
  id: water-bodies
  label: Water bodies
  doc: Finds water
  requirements:
  - class: ScatterFeatureRequirement
  - class: SubworkflowFeatureRequirement
  inputs:
    stac_items: {label: Items, doc: Addresses of items, type: "string[]"}
    aoi: {label: Area, doc: A box, type: string}
    epsg: {label: EPSG code, doc: Of the box, type: string, default: "EPSG:4326"}
    bands: {label: Bands, doc: Two of them, type: "string[]", default: [green, nir]}
  outputs:
  - {id: stac_catalog, label: Catalog, doc: The masks, type: Directory, outputSource: [node_stac/catalog]}
  steps:
    node_detect:
      run: "#detect_water_body"
      in: {item: stac_items, aoi: aoi, bands: bands}
      out: [mask]
      scatter: item
      scatterMethod: dotproduct
    node_stac:
      run: "#stac"
      in: {item: stac_items, masks: node_detect/mask}
      out: [catalog]
- class: Workflow
  id: detect_water_body
  requirements: [{class: ScatterFeatureRequirement}]
  inputs: {item: string, aoi: string, bands: "string[]"}
  outputs: [{id: mask, type: File, outputSource: [node_otsu/mask]}]
  steps:
    node_crop:
      run: "#crop"
      in: {item: item, aoi: aoi, band: bands}
      out: [cropped]
      scatter: band
    node_otsu: {run: "#otsu", in: {files: node_crop/cropped}, out: [mask]}
- class: CommandLineTool
  id: crop
  hints: {DockerRequirement: {dockerPull: "example.com/crop:1.0"}}
  requirements:
    NetworkAccess: {networkAccess: true}
    ResourceRequirement: {coresMax: 1, ramMax: 512}
  baseCommand: crop
  inputs: {item: string, aoi: string, band: string}
  outputs: {cropped: {type: File, outputBinding: {glob: "*.tif"}}}
- class: CommandLineTool
  id: otsu
  hints: {DockerRequirement: {dockerPull: "example.com/otsu:latest"}}
  requirements: {ResourceRequirement: {coresMax: 2, ramMax: 1024}}
  baseCommand: otsu
  inputs: {files: "File[]"}
  outputs: {mask: {type: File, outputBinding: {glob: "*.tif"}}}
- class: CommandLineTool
  id: stac
  requirements: {DockerRequirement: {dockerPull: "example.com/stac@sha256:77d571d9"}, InlineJavascriptRequirement: {}}
  baseCommand: stac
  arguments: [$(inputs.item.length + 1)]
  inputs: {item: "string[]", masks: "File[]"}
  outputs: {catalog: {type: Directory, outputBinding: {glob: .}}}
