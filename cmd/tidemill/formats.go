package main

import (
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/egress"
	egressparquet "github.com/tidemill/tidemill/egress/parquet"
	"github.com/tidemill/tidemill/ingest"
	ingestparquet "github.com/tidemill/tidemill/ingest/parquet"
)

// newJob is tidemill.New with all formats that there are.
func newJob(cfg tidemill.Config) (*tidemill.Context, error) { return tidemill.New(withFormats(cfg)) }

// newCheck is tidemill.NewCheck with all formats that there are.
func newCheck(cfg tidemill.Config) (*tidemill.Context, error) {
	return tidemill.NewCheck(withFormats(cfg))
}

func withFormats(cfg tidemill.Config) tidemill.Config {
	cfg.Formats = []ingest.FormatKind{ingestparquet.Format()}
	cfg.FileFormats = []egress.FileFormat{egressparquet.Format()}
	return cfg
}
