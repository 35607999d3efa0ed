cwlVersion: v1.0
class: CommandLineTool
id: failing-link
doc: A link that leads out of the job gives nothing away.
baseCommand: [ln, -s, /etc/passwd, taken.txt]
inputs: {}
outputs: {taken: {type: File, outputBinding: {glob: taken.txt}}}
