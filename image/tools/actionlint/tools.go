//go:build tools

// Package tools names a program that the checks run, so that go.mod pins it and the bot renews it:
// it leaves alone what go.mod calls indirect, as it would a tool directive's.
package tools

import _ "github.com/rhysd/actionlint/cmd/actionlint"
