package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// benchBytes is about how many bytes a benchmark's block holds: as many as the engine's.
const benchBytes = 256 << 10

// cpuTime returns the time that the process has spent on all cores. On a shared machine it says more than the clock on the wall.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// benchLines returns the lines of a block and how many they are.
func benchLines(record func(r *rand.Rand, i int) string) (lines string, n int) {
	r := rand.New(rand.NewPCG(1, 2))
	var in strings.Builder
	for in.Len() < benchBytes {
		in.WriteString(record(r, n))
		n++
	}
	return in.String(), n
}

// decodeBench is a block and how it is decoded.
type decodeBench struct {
	format  string
	options map[string]string
	columns string
	used    []int
	record  func(r *rand.Rand, i int) string
	hasBad  bool
}

func (c decodeBench) run(b *testing.B) {
	f := mustNewFormat(b, c.format, c.options)
	in, n := benchLines(c.record)
	block := &ingest.Block{NumRows: int64(n), Bytes: withSlack(in)}
	d := mustDecoder(b, f, ingest.DecodeSpec{Declared: parseColumns(b, c.columns), Used: c.used, Mem: batch.NewPool(0)})
	defer d.Close()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		rows, err := d.Decode(b.Context(), block, nil)
		if err != nil || rows.NumLive() != n && !c.hasBad {
			b.Fatal(err, rows.NumLive())
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/(cpuTime(b)-start).Seconds()/1e6, "Mrows/CPU-s")
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

// shuffled returns record with the members of its objects in any order.
func shuffled(record func(r *rand.Rand, i int) string) func(r *rand.Rand, i int) string {
	return func(r *rand.Rand, i int) string {
		members := strings.Split(strings.Trim(record(r, i), "{}\n"), ",")
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		return "{" + strings.Join(members, ",") + "}\n"
	}
}

const amountColumns = "ts TIMESTAMP, user TEXT, amount DOUBLE, type TEXT"

func amountRecord(r *rand.Rand, i int) string {
	return fmt.Sprintf(`{"ts":"2026-03-01T10:%02d:%02d.%03dZ","user":"u%05d","amount":%.2f,"type":"%s"}`+"\n",
		i/60%60, i%60, i%1000, r.IntN(100000), r.Float64()*1000, []string{"view", "click", "buy"}[r.IntN(3)])
}

// mixedRecord has one of four shapes: some keys are missing or null.
func mixedRecord(r *rand.Rand, i int) string {
	record := amountRecord(r, i)
	switch r.IntN(4) {
	case 0:
		record = strings.Replace(record, `"type":"view"`, `"type":null`, 1)
	case 1:
		record = strings.Replace(record, `"user":"u`, `"session":7,"user":"u`, 1)
	case 2:
		record = strings.Replace(record, `"ts":`, `"kind":"other","ts":`, 1)
	}
	return record
}

func escapedRecord(r *rand.Rand, i int) string {
	return fmt.Sprintf(`{"ts": %d, "user": "us\"er-\u00e9%05d", "amount": %v}`+"\n", 1700000000000+int64(i), r.IntN(100000), r.Float64()*1000)
}

func nestedRecord(r *rand.Rand, i int) string {
	return strings.Replace(amountRecord(r, i), `"type":`, `"tags":["a","b"],"type":`, 1)
}

func BenchmarkDecodeJSON(b *testing.B) {
	b.Run("ysb247/used=7", decodeBench{format: "JSON", columns: ysbColumns, record: ysbRecord}.run)
	b.Run("ysb247/used=3", decodeBench{format: "JSON", columns: ysbColumns, used: []int{2, 4, 5}, record: ysbRecord}.run)
	b.Run("ysb247/used=7/order=random", decodeBench{format: "JSON", columns: ysbColumns, record: shuffled(ysbRecord)}.run)
	b.Run("amounts85/used=4", decodeBench{format: "JSON", columns: amountColumns, record: amountRecord}.run)
	b.Run("amounts85/used=3", decodeBench{format: "JSON", columns: amountColumns, used: []int{0, 2, 3}, record: amountRecord}.run)
	b.Run("amounts85/used=4/order=random", decodeBench{format: "JSON", columns: amountColumns, record: shuffled(amountRecord)}.run)
	b.Run("amounts85/used=4/form=shapes", decodeBench{format: "JSON", columns: amountColumns, record: mixedRecord}.run)
	b.Run("amounts85/used=4/form=nested", decodeBench{format: "JSON", columns: amountColumns, record: nestedRecord}.run)
	b.Run("amounts85/used=3/form=escapes", decodeBench{format: "JSON", columns: "ts BIGINT, user TEXT, amount DOUBLE", record: escapedRecord}.run)
}

func tradeRecord(r *rand.Rand, i int) string {
	return fmt.Sprintf("%d,2026-03-01T10:%02d:%02d.%03dZ,key-%05d,%.4f\n", 1000000000+i, i/60%60, i%60, i%1000, r.IntN(100000), r.Float64()*1000)
}

func quotedTradeRecord(r *rand.Rand, i int) string {
	return `"` + strings.Join(strings.Split(strings.TrimSpace(tradeRecord(r, i)), ","), `","`) + "\"\n"
}

func stationRecord(r *rand.Rand, _ int) string {
	stations := []string{"Hamburg", "Bulawayo", "Palembang", "St. John's", "Cracow", "Bridgetown", "Istanbul", "Roseau", "Conakry", "Oslo", "Las Palmas de Gran Canaria"}
	return fmt.Sprintf("%s;%.1f\n", stations[r.IntN(len(stations))], r.Float64()*80-30)
}

func BenchmarkDecodeCSV(b *testing.B) {
	const columns = "id BIGINT, ts TIMESTAMP, key TEXT, price DOUBLE"
	b.Run("trades57/used=4", decodeBench{format: "CSV", columns: columns, record: tradeRecord}.run)
	b.Run("trades57/used=1", decodeBench{format: "CSV", columns: columns, used: []int{3}, record: tradeRecord}.run)
	b.Run("trades57/used=4/form=bad10%", decodeBench{format: "CSV", columns: columns, hasBad: true, record: func(r *rand.Rand, i int) string {
		return strings.Repeat("?", 1-min(r.IntN(10), 1)) + tradeRecord(r, i)
	}}.run)
	b.Run("trades57/used=4/form=quoted", decodeBench{format: "CSV", columns: columns, record: quotedTradeRecord}.run)
	b.Run("stations14/used=2", decodeBench{
		format: "CSV", options: map[string]string{"delimiter": ";"}, columns: "station TEXT, celsius DOUBLE", record: stationRecord,
	}.run)
}

func BenchmarkDecodeText(b *testing.B) {
	for _, size := range []int{16, 60, 250} {
		b.Run(fmt.Sprintf("line=%d", size), decodeBench{format: "TEXT", columns: "value TEXT", record: func(r *rand.Rand, _ int) string {
			return strings.Repeat("a", size/2+r.IntN(size)) + "\n"
		}}.run)
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, tt := range []struct {
		name, format string
		record       func(r *rand.Rand, i int) string
	}{
		{"JSON/ysb247", "JSON", ysbRecord},
		{"CSV/stations14", "CSV", stationRecord},
		{"CSV/trades57", "CSV", tradeRecord},
		{"CSV/trades57/form=quoted", "CSV", quotedTradeRecord},
	} {
		b.Run(tt.name, func(b *testing.B) {
			framer := mustNewFormat(b, tt.format, nil).NewFramer()
			in, n := benchLines(tt.record)
			block := []byte(in)
			b.SetBytes(int64(len(in)))
			start := cpuTime(b)
			for b.Loop() {
				if end, records, _ := framer.Frame(block); end != len(in) || int(records) != n {
					b.Fatal(end, records)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/(cpuTime(b)-start).Seconds()/1e6, "Mrows/CPU-s")
		})
	}
}
