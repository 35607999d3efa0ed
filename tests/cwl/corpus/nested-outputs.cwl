cwlVersion: v1.0
class: Workflow
id: nested-outputs
doc: A scatter over a scatter gives files in lists of lists.
requirements: {ScatterFeatureRequirement: {}, SubworkflowFeatureRequirement: {}}
inputs: {rows: {type: {type: array, items: {type: array, items: string}}}}
outputs:
  table: {type: {type: array, items: {type: array, items: File}}, outputSource: rows/files}
steps:
  rows:
    scatter: row
    in: {row: rows}
    out: [files]
    run:
      class: Workflow
      inputs: {row: 'string[]'}
      outputs: {files: {type: 'File[]', outputSource: cells/file}}
      steps:
        cells:
          scatter: cell
          in: {cell: row}
          out: [file]
          run:
            class: CommandLineTool
            baseCommand: [echo, -n]
            inputs: {cell: {type: string, inputBinding: {}}}
            outputs: {file: {type: stdout}}
            stdout: cell.txt
