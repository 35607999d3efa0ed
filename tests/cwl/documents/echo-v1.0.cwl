#!/usr/bin/env cwl-runner
cwlVersion: v1.0
class: CommandLineTool
id: echo
label: Echo
doc: Say it.
baseCommand: echo
inputs:
  text: {type: string, label: Text, doc: What to say, inputBinding: {position: 1}}
outputs:
  said: {type: stdout, label: Said, doc: What was said}
stdout: said.txt
