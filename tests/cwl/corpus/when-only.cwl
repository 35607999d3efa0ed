cwlVersion: v1.2
class: Workflow
id: when-only
doc: Exactly one of two branches, each a tool.
requirements: {InlineJavascriptRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {fine: boolean, source: File}
outputs:
  result: {type: File, outputSource: [fine/out, coarse/out], pickValue: the_only_non_null}
steps:
  fine:
    when: $(inputs.go)
    in: {go: fine, source: source}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: cat
      inputs: {source: {type: File, inputBinding: {}}}
      outputs: {out: {type: stdout}}
      stdout: fine.txt
  coarse:
    when: $(!inputs.stop)
    in: {stop: fine, source: source}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [head, -c, '3']
      inputs: {source: {type: File, inputBinding: {}}}
      outputs: {out: {type: stdout}}
      stdout: coarse.txt
