package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// benchRows is how many records a benchmark's block holds: about 256 KiB of the longest ones, as in the engine.
const benchRows = 1000

func benchDecode(b *testing.B, format, columns string, used []int, record func(r *rand.Rand, i int) string) {
	f := mustNewFormat(b, format, nil)
	r := rand.New(rand.NewPCG(1, 2))
	var in strings.Builder
	for i := range benchRows {
		in.WriteString(record(r, i))
	}
	block := &ingest.Block{NumRows: benchRows, Bytes: withSlack(in.String())}
	d := mustDecoder(b, f, ingest.DecodeSpec{Declared: parseColumns(b, columns), Used: used, Mem: batch.NewPool(0)})
	defer d.Close()
	b.SetBytes(int64(in.Len()))
	b.ReportAllocs()
	for b.Loop() {
		rows, err := d.Decode(b.Context(), block, nil)
		if err != nil || rows.NumLive() != benchRows {
			b.Fatal(err, rows.NumLive())
		}
	}
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func randomUUID(r *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.Uint32N(1<<16), r.Uint32N(1<<12), r.Uint32N(1<<12), r.Uint64N(1<<48))
}

const ysbColumns = "user_id TEXT, page_id TEXT, ad_id TEXT, ad_type TEXT, event_type TEXT, event_time BIGINT, ip_address TEXT"

func ysbRecord(r *rand.Rand, i int) string {
	adTypes := []string{"banner", "modal", "sponsored-search", "mail", "mobile"}
	eventTypes := []string{"view", "click", "purchase"}
	return fmt.Sprintf(`{"user_id":"%s","page_id":"%s","ad_id":"%s","ad_type":"%s","event_type":"%s","event_time":%d,"ip_address":"1.2.3.4"}`+"\n",
		randomUUID(r), randomUUID(r), randomUUID(r), adTypes[r.IntN(5)], eventTypes[r.IntN(3)], 1700000000000+int64(i))
}

func BenchmarkDecodeJSON(b *testing.B) {
	b.Run("ysb247/used=7", func(b *testing.B) { benchDecode(b, "JSON", ysbColumns, nil, ysbRecord) })
	b.Run("ysb247/used=3", func(b *testing.B) { benchDecode(b, "JSON", ysbColumns, []int{2, 4, 5}, ysbRecord) })
	b.Run("ysb247/used=7/order=random", func(b *testing.B) {
		benchDecode(b, "JSON", ysbColumns, nil, func(r *rand.Rand, i int) string {
			members := strings.Split(strings.Trim(ysbRecord(r, i), "{}\n"), ",")
			r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
			return "{" + strings.Join(members, ",") + "}\n"
		})
	})
	b.Run("amounts75/used=3", func(b *testing.B) {
		benchDecode(b, "JSON", "ts TIMESTAMP, user TEXT, amount DOUBLE", nil, func(r *rand.Rand, i int) string {
			return fmt.Sprintf(`{"ts":"2026-03-01T10:%02d:%02d.%03dZ","user":"user-%05d","amount":%.2f}`+"\n",
				i/60%60, i%60, i%1000, r.IntN(100000), r.Float64()*1000)
		})
	})
	b.Run("amounts75/used=3/form=escapes", func(b *testing.B) {
		benchDecode(b, "JSON", "ts BIGINT, user TEXT, amount DOUBLE", nil, func(r *rand.Rand, i int) string {
			return fmt.Sprintf(`{"ts": %d, "user": "us\"er-\u00e9%05d", "amount": %v}`+"\n", 1700000000000+int64(i), r.IntN(100000), r.Float64()*1000)
		})
	})
}

func BenchmarkDecodeCSV(b *testing.B) {
	record := func(r *rand.Rand, i int) string {
		return fmt.Sprintf("%d,2026-03-01T10:%02d:%02d.%03dZ,key-%05d,%.4f\n", 1000000000+i, i/60%60, i%60, i%1000, r.IntN(100000), r.Float64()*1000)
	}
	const columns = "id BIGINT, ts TIMESTAMP, key TEXT, price DOUBLE"
	b.Run("trades57/used=4", func(b *testing.B) { benchDecode(b, "CSV", columns, nil, record) })
	b.Run("trades57/used=1", func(b *testing.B) { benchDecode(b, "CSV", columns, []int{3}, record) })
	b.Run("trades57/used=4/form=quoted", func(b *testing.B) {
		benchDecode(b, "CSV", columns, nil, func(r *rand.Rand, i int) string {
			fields := strings.Split(strings.TrimSpace(record(r, i)), ",")
			return `"` + strings.Join(fields, `","`) + "\"\n"
		})
	})
}

func BenchmarkDecodeText(b *testing.B) {
	for _, size := range []int{16, 60, 250} {
		b.Run(fmt.Sprintf("line=%d", size), func(b *testing.B) {
			benchDecode(b, "TEXT", "value TEXT", nil, func(r *rand.Rand, _ int) string {
				return strings.Repeat("a", size/2+r.IntN(size)) + "\n"
			})
		})
	}
}
