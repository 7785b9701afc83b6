package main

import "github.com/tidemill/tidemill"

// newJob is tidemill.New with all formats that there are.
func newJob(cfg tidemill.Config) (*tidemill.Context, error) { return tidemill.New(withFormats(cfg)) }

// newCheck is tidemill.NewCheck with all formats that there are.
func newCheck(cfg tidemill.Config) (*tidemill.Context, error) {
	return tidemill.NewCheck(withFormats(cfg))
}
