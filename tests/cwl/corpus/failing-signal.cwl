cwlVersion: v1.2
class: CommandLineTool
id: failing-signal
baseCommand: [sh, -c, 'echo last words >&2; kill -9 $$']
inputs: {}
outputs: {}
