cwlVersion: v1.2
class: CommandLineTool
id: überflutung
label: Überflutung 洪水
baseCommand: echo
inputs: {größe: {type: int, doc: "in m²"}}
outputs: []
