//go:build tools

// Package tools imports what build.sh builds, so that `go mod tidy` keeps it.
package tools

import (
	_ "github.com/fluxcd/kustomize-controller"
)
