# A water-bodies package in the shape that released ones have: CWL 1.0, an image by digest for each tool, all called app.
cwlVersion: v1.0
$namespaces:
  s: https://schema.org/
schemas:
  - http://schema.org/version/9.0/schemaorg-current-http.rdf
s:softwareVersion: 1.0.0
s:codeRepository: https://example.org/water-bodies
s:author:
  - class: s:Person
    s.name: Jane Doe
    s.email: jane.doe@example.org
    s.affiliation: ACME
$graph:
  - class: Workflow
    id: water-bodies
    label: Water bodies
    doc: Water masks of several images, as a catalog.
    requirements:
      - class: ScatterFeatureRequirement
      - class: SubworkflowFeatureRequirement
    inputs:
      aoi:
        label: area of interest
        doc: the box to look at
        type: string
      epsg:
        label: EPSG code
        doc: of the box
        type: string
        default: "EPSG:4326"
      stac_items:
        label: items
        doc: the images
        type: string[]
      bands:
        label: bands
        doc: the two of the index
        type: string[]
        default: ["green", "nir"]
    outputs:
      - id: stac_catalog
        outputSource: [node_stac/stac_catalog]
        type: Directory
    steps:
      node_water_bodies:
        run: "#detect_water_body"
        in:
          item: stac_items
          aoi: aoi
          epsg: epsg
          bands: bands
        out: [detected_water_body]
        scatter: item
        scatterMethod: dotproduct
      node_stac:
        run: "#stac"
        in:
          item: stac_items
          rasters:
            source: node_water_bodies/detected_water_body
        out: [stac_catalog]

  - class: Workflow
    id: detect_water_body
    label: The water in one image
    doc: Crops, computes the index, and thresholds it.
    requirements:
      - class: ScatterFeatureRequirement
    inputs:
      aoi: {type: string}
      epsg: {type: string}
      bands: {type: "string[]"}
      item: {type: string}
    outputs:
      - id: detected_water_body
        outputSource: [node_otsu/binary_mask_item]
        type: File
    steps:
      node_crop:
        run: "#crop"
        in:
          item: item
          aoi: aoi
          epsg: epsg
          band: bands
        out: [cropped]
        scatter: band
        scatterMethod: dotproduct
      node_normalized_difference:
        run: "#norm_diff"
        in:
          rasters:
            source: node_crop/cropped
        out: [ndwi]
      node_otsu:
        run: "#otsu"
        in:
          raster:
            source: node_normalized_difference/ndwi
        out: [binary_mask_item]

  - class: CommandLineTool
    id: crop
    requirements:
      InlineJavascriptRequirement: {}
      EnvVarRequirement:
        envDef:
          PATH: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
          PYTHONPATH: /app
      ResourceRequirement: {coresMax: 1, ramMax: 512}
    hints:
      DockerRequirement:
        dockerPull: ghcr.io/eoap/mastering-app-package/crop@sha256:001dfe8600000000000000000000000000000000000000000000000000000000
    baseCommand: ["python", "-m", "app"]
    arguments: []
    inputs:
      item: {type: string, inputBinding: {prefix: --input-item}}
      aoi: {type: string, inputBinding: {prefix: --aoi}}
      epsg: {type: string, inputBinding: {prefix: --epsg}}
      band: {type: string, inputBinding: {prefix: --band}}
    outputs:
      cropped:
        outputBinding: {glob: "*.tif"}
        type: File

  - class: CommandLineTool
    id: norm_diff
    requirements:
      InlineJavascriptRequirement: {}
      EnvVarRequirement:
        envDef:
          PATH: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
          PYTHONPATH: /app
      ResourceRequirement: {coresMax: 1, ramMax: 512}
    hints:
      DockerRequirement:
        dockerPull: ghcr.io/eoap/mastering-app-package/norm_diff@sha256:134547be00000000000000000000000000000000000000000000000000000000
    baseCommand: ["python", "-m", "app"]
    arguments: []
    inputs:
      rasters: {type: "File[]", inputBinding: {position: 1}}
    outputs:
      ndwi:
        outputBinding: {glob: "*.tif"}
        type: File

  - class: CommandLineTool
    id: otsu
    requirements:
      InlineJavascriptRequirement: {}
      EnvVarRequirement:
        envDef:
          PATH: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
          PYTHONPATH: /app
      ResourceRequirement: {coresMax: 1, ramMax: 512}
    hints:
      DockerRequirement:
        dockerPull: ghcr.io/eoap/mastering-app-package/otsu@sha256:80e50aa000000000000000000000000000000000000000000000000000000000
    baseCommand: ["python", "-m", "app"]
    arguments: []
    inputs:
      raster: {type: File, inputBinding: {position: 1}}
    outputs:
      binary_mask_item:
        outputBinding: {glob: "*.tif"}
        type: File

  - class: CommandLineTool
    id: stac
    requirements:
      InlineJavascriptRequirement: {}
      EnvVarRequirement:
        envDef:
          PATH: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
          PYTHONPATH: /app
      ResourceRequirement: {coresMax: 1, ramMax: 512}
    hints:
      DockerRequirement:
        dockerPull: ghcr.io/eoap/mastering-app-package/stac@sha256:77d571d900000000000000000000000000000000000000000000000000000000
    baseCommand: ["python", "-m", "app"]
    arguments: []
    inputs:
      item:
        type:
          type: array
          items: string
          inputBinding: {prefix: --input-item}
      rasters:
        type:
          type: array
          items: File
          inputBinding: {prefix: --water-body}
    outputs:
      stac_catalog:
        outputBinding: {glob: .}
        type: Directory
