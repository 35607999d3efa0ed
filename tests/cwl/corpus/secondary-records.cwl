cwlVersion: v1.1
class: CommandLineTool
id: secondary-records
doc: Files beside the files of a record.
baseCommand: [touch, A, A.s2, B, B.s3, C, C.s3]
inputs: {}
outputs:
  record:
    type:
      type: record
      fields:
        one: {type: File, secondaryFiles: .s2, outputBinding: {glob: A}}
        two: {type: {type: array, items: File}, secondaryFiles: .s3, outputBinding: {glob: [B, C]}}
