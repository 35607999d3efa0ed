{"cwlVersion": "v1.2", "$graph": [
	{"class": "CommandLineTool", "id": "#other", "baseCommand": "true", "inputs": [], "outputs": []},
	{"class": "ExpressionTool", "id": "#main", "requirements": [{"class": "InlineJavascriptRequirement"}],
	 "label": "\ud83d\ude00", "inputs": [{"id": "#main/a", "type": "int"}],
	 "outputs": [{"id": "#main/b", "type": "int"}], "expression": "${return {b: inputs.a + 1};}"}
]}
