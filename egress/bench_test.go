package egress_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/internal/vfs"
)

func BenchmarkWrite(b *testing.B) {
	const rows = 4096
	for _, target := range []struct{ name, uri, format, compression string }{
		{name: "to=stdout/format=csv", uri: "stdout:", format: "CSV"},
		{name: "to=stdout/format=json", uri: "stdout:", format: "JSON"},
		{name: "to=stdout/format=table", uri: "stdout:", format: "TABLE"},
		{name: "to=file/format=csv", uri: "file:", format: "CSV"},
		{name: "to=file/format=csv/compression=zstd", uri: "file:", format: "CSV", compression: "zstd"},
	} {
		b.Run(target.name, func(b *testing.B) {
			ctx := context.Background()
			pool := newPool(b)
			schema := schemaOf("n BIGINT", "d DOUBLE", "s TEXT", "ts TIMESTAMP")
			f := mustRows(b, pool, schema, strings.Repeat("123456 0.25 \"some words\" 2026-01-02T03:04:05.25Z\n", rows))
			defer f.Release()
			uri, options := target.uri, map[string]string{}
			if uri == "file:" {
				uri += b.TempDir()
				options["compression"] = target.compression
			}
			s := mustOpen(b, uri, target.format, options, egress.OpenSpec{FS: vfs.OS, Stdout: io.Discard, Mem: pool})
			defer s.Close()
			must(b, s.Open(ctx, egress.Spec{Job: testJob, Name: "x", Schema: schema}, 0, nil))
			b.ReportAllocs()
			commit := uint64(0)
			for b.Loop() {
				must(b, s.Write(ctx, iv(1), rowsOf(f)))
				// A commit in 64 batches, as at some million rows per second and a commit each 100 ms.
				if commit++; commit%64 == 0 {
					token, err := s.Prepare(ctx, commit)
					must(b, err)
					must(b, s.Commit(ctx, commit, token))
				}
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
