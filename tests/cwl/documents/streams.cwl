cwlVersion: v1.1
class: CommandLineTool
id: streams
baseCommand: cat
inputs: {given: stdin}
outputs: {out: stdout, err: stderr}
