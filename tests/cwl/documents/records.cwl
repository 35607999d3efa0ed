cwlVersion: v1.2
class: CommandLineTool
id: records
baseCommand: echo
inputs:
  scene:
    label: A scene
    type:
      type: record
      fields:
        name: {type: string, label: Name, doc: Its name}
        image: {type: File, format: "image/tiff"}
        cloud: {type: float?}
        more: {type: {type: record, fields: [{name: folder, type: Directory}]}}
outputs:
  result: {type: {type: record, fields: [{name: image, type: File, outputBinding: {glob: x}}]}}
