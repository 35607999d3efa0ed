cwlVersion: v1.2
class: CommandLineTool
id: metadata
$namespaces: {sc: "http://schema.org/"}
sc:name: A name
sc:version: 2
sc:keywords: [one, 2, ""]
sc:citation: A paper
sc:logo: https://example.com/logo.png
sc:contributor: {"@type": "sc:Organization", "sc:name": ACME}
sc:dateCreated: 2024-10-01
sc:offers: []
sc:isAccessibleForFree: true
baseCommand: "true"
inputs: {}
outputs: {}
