//go:build !slim

package main

import (
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/egress"
	egressparquet "github.com/tidemill/tidemill/egress/parquet"
	"github.com/tidemill/tidemill/ingest"
	ingestparquet "github.com/tidemill/tidemill/ingest/parquet"
)

// withFormats adds the formats that bring dependencies. Arrow's Parquet links gRPC and all kernels of Arrow: 25 MB of the binary, which
// the build tag slim saves.
func withFormats(cfg tidemill.Config) tidemill.Config {
	cfg.Formats = []ingest.FormatKind{ingestparquet.Format()}
	cfg.FileFormats = []egress.FileFormat{egressparquet.Format()}
	return cfg
}
