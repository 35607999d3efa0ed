cwlVersion: v1.2
class: Workflow
id: failing-pick
doc: Two values where there may be one.
requirements: {MultipleInputFeatureRequirement: {}}
inputs: {a: 'int?', b: 'int?'}
outputs: {one: {type: int, outputSource: [a, b], pickValue: the_only_non_null}}
steps: {}
