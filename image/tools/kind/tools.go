//go:build tools

// Package tools names a program that the checks run, so that go.mod pins it and the bot renews it.
package tools

import _ "sigs.k8s.io/kind"
