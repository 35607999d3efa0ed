cwlVersion: v1.2
class: Workflow
id: when
requirements: {InlineJavascriptRequirement: {}, MultipleInputFeatureRequirement: {}}
doc: Steps that are skipped, and what can be picked from them.
inputs: {first: boolean, second: boolean}
outputs:
  any: {type: 'string?', outputSource: [one/said, two/said, always/said], pickValue: first_non_null}
  all: {type: 'string[]', outputSource: [one/said, two/said], pickValue: all_non_null}
  maybe: {type: 'string?', outputSource: one/said}
steps:
  one:
    when: $(inputs.wanted)
    run: &say
      class: ExpressionTool
      inputs: {word: string}
      outputs: {said: string}
      expression: '${return {said: "said " + inputs.word};}'
    in: {wanted: first, word: {default: one}}
    out: [said]
  two:
    when: $(inputs.wanted)
    run: *say
    in: {wanted: second, word: {default: two}}
    out: [said]
  always:
    run: *say
    in: {word: {default: always}}
    out: [said]
