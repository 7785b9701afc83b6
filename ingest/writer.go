package ingest

type BlockWriter struct{}
