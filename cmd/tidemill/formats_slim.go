//go:build slim

package main

import "github.com/tidemill/tidemill"

// withFormats adds nothing: formats that bring dependencies are not in this build.
func withFormats(cfg tidemill.Config) tidemill.Config { return cfg }
