cwlVersion: v1.2

$namespaces:
  s: https://schema.org/

s:softwareVersion: 1.0.0
s:license: https://spdx.org/licenses/MIT
s:keywords: [water, NDWI, Otsu, STAC, Sentinel-2]
s:author:
  - class: s:Organization
    s:name: The Geomill authors

$graph:
  - id: water-bodies
    class: Workflow
    label: Water bodies
    doc: |
      Maps the water in an area of interest, for each of a number of satellite images: where the normalized difference of
      the green and the near infrared band is above Otsu's threshold.
    requirements:
      ScatterFeatureRequirement: {}
      SubworkflowFeatureRequirement: {}
    inputs:
      stac_items:
        type: string[]
        label: STAC items
        doc: |
          URLs of STAC items, one for each image. Their assets are read over HTTP: only the pixels that are needed, from a
          server that answers Range requests.
      aoi:
        type: string
        label: Area of interest
        doc: A box, as "minx,miny,maxx,maxy". An image may cover a part of it.
      epsg:
        type: string
        default: EPSG:4326
        label: Coordinate reference system
        doc: The one of the area of interest. Its x, or longitude, comes first.
      bands:
        type: string[]
        default: [green, nir]
        label: Bands
        doc: Common names of two bands, as the items have them. Water is where the first is brighter than the second.
    outputs:
      stac_catalog:
        type: Directory
        outputSource: node_stac/stac_catalog
        label: Water masks
        doc: A STAC catalog with an item for each image, in the same order; asset `data` is the mask, where 1 is water.
    steps:
      node_water_bodies:
        label: A mask for each image
        run: "#detect_water_body"
        scatter: item
        scatterMethod: dotproduct
        in:
          item: stac_items
          aoi: aoi
          epsg: epsg
          bands: bands
        out: [mask]
      node_stac:
        label: The masks as a catalog
        run: "#stac"
        in:
          items: stac_items
          masks: node_water_bodies/mask
        out: [stac_catalog]

  - id: detect_water_body
    class: Workflow
    label: Water body
    doc: Maps the water in one image.
    requirements:
      ScatterFeatureRequirement: {}
    inputs:
      item:
        type: string
        label: STAC item
        doc: Its URL.
      aoi:
        type: string
        label: Area of interest
        doc: A box, as "minx,miny,maxx,maxy".
      epsg:
        type: string
        label: Coordinate reference system
        doc: The one of the area of interest.
      bands:
        type: string[]
        label: Bands
        doc: Common names of two bands.
    outputs:
      mask:
        type: File
        outputSource: node_otsu/mask
        label: Water mask
        doc: 1 is water.
    steps:
      node_crop:
        label: The area, from each band
        run: "#crop"
        scatter: band
        scatterMethod: dotproduct
        in:
          item: item
          aoi: aoi
          epsg: epsg
          band: bands
        out: [cropped]
      node_normalized_difference:
        label: The index of the two
        run: "#norm_diff"
        in:
          rasters: node_crop/cropped
        out: [index]
      node_otsu:
        label: Water from land
        run: "#otsu"
        in:
          raster: node_normalized_difference/index
        out: [mask]

  - id: crop
    class: CommandLineTool
    label: Crop
    doc: Cuts one band of a STAC item to an area of interest.
    hints:
      DockerRequirement:
        dockerPull: localhost/geomill/water-bodies:1.0.0
    requirements:
      NetworkAccess:
        networkAccess: true
      ResourceRequirement:
        coresMax: 1
        ramMax: 512
    baseCommand: [python, -m, crop.app]
    inputs:
      item:
        type: string
        label: STAC item
        doc: Its URL, its path, or the path of a directory with a catalog.json.
        inputBinding:
          prefix: --input-item
      aoi:
        type: string
        label: Area of interest
        doc: A box, as "minx,miny,maxx,maxy".
        inputBinding:
          prefix: --aoi
      epsg:
        type: string
        label: Coordinate reference system
        doc: The one of the area of interest.
        inputBinding:
          prefix: --epsg
      band:
        type: string
        label: Band
        doc: Its common name.
        inputBinding:
          prefix: --band
    outputs:
      cropped:
        type: File
        label: Cropped band
        doc: A cloud optimized GeoTIFF on the grid of the band.
        outputBinding:
          glob: "*.tif"

  - id: norm_diff
    class: CommandLineTool
    label: Normalized difference
    doc: (first - second) / (first + second) of two rasters.
    hints:
      DockerRequirement:
        dockerPull: localhost/geomill/water-bodies:1.0.0
    requirements:
      NetworkAccess:
        networkAccess: false
      ResourceRequirement:
        coresMax: 1
        ramMax: 512
    baseCommand: [python, -m, norm_diff.app]
    inputs:
      rasters:
        type: File[]
        label: Rasters
        doc: Two on the same grid.
        inputBinding: {}
    outputs:
      index:
        type: File
        label: Normalized difference
        doc: A cloud optimized GeoTIFF, between -1 and 1.
        outputBinding:
          glob: "*.tif"

  - id: otsu
    class: CommandLineTool
    label: Otsu's threshold
    doc: Tells high values of a raster from low ones.
    hints:
      DockerRequirement:
        dockerPull: localhost/geomill/water-bodies:1.0.0
    requirements:
      NetworkAccess:
        networkAccess: false
      ResourceRequirement:
        coresMax: 1
        ramMax: 512
    baseCommand: [python, -m, otsu.app]
    inputs:
      raster:
        type: File
        label: Raster
        doc: Of any range.
        inputBinding: {}
    outputs:
      mask:
        type: File
        label: Mask
        doc: A cloud optimized GeoTIFF; 1 where the value is above the threshold.
        outputBinding:
          glob: "*.tif"

  - id: stac
    class: CommandLineTool
    label: STAC catalog
    doc: Describes masks as STAC items, with the id and the time of the items they were made from.
    hints:
      DockerRequirement:
        dockerPull: localhost/geomill/water-bodies:1.0.0
    requirements:
      NetworkAccess:
        networkAccess: true
      ResourceRequirement:
        coresMax: 1
        ramMax: 512
    baseCommand: [python, -m, stac.app]
    inputs:
      items:
        label: STAC items
        doc: URL, path, or path of a directory with a catalog.json.
        type:
          type: array
          items: string
          inputBinding:
            prefix: --input-item
      masks:
        label: Masks
        doc: One for each item, in the same order.
        type:
          type: array
          items: File
          inputBinding:
            prefix: --water-body
    outputs:
      stac_catalog:
        type: Directory
        label: STAC catalog
        doc: catalog.json, and a directory for each item.
        outputBinding:
          glob: .
