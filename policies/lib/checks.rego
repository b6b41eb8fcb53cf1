# Statuses that the environment asks for, and what they say.
package lib.checks

import rego.v1

# Each head that carries the change, with each status that it must have.
asked contains {"head": head.head, "status": status} if {
	input.change.operation in {"deploy", "rollback"}
	some head in input.range.heads
	some status in input.required.statuses
}

# What the expected application says of a head.
words(head, name) := [status |
	some status in input.statuses
	status.counts
	status.name == name
	status.head == head
]
