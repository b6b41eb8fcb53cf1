package lib.checks

import rego.v1

facts := {
	"change": {"operation": "deploy"},
	"required": {"statuses": [{"name": "build"}]},
	"range": {"heads": [{"head": "1111111122222222"}]},
	"statuses": [
		{"name": "build", "head": "1111111122222222", "counts": true, "state": "success"},
		{"name": "build", "head": "1111111122222222", "counts": false, "state": "failure"},
		{"name": "scan", "head": "1111111122222222", "counts": true, "state": "failure"},
		{"name": "build", "head": "3333333344444444", "counts": true, "state": "failure"},
	],
}

test_each_head_is_asked_for_each_status if {
	asked == {{"head": "1111111122222222", "status": {"name": "build"}}} with input as facts
}

test_only_what_counts_is_a_word if {
	found := words("1111111122222222", "build") with input as facts
	[status.state | some status in found] == ["success"]
}
