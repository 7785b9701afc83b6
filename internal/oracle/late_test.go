package oracle_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/oracle"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// seconds returns rows of times.
func seconds(times ...int) [][]any {
	var rows [][]any
	for _, s := range times {
		rows = append(rows, []any{batch.Time(s) * 1_000_000})
	}
	return rows
}

func TestLateRows(t *testing.T) {
	tests := []struct {
		name     string
		splits   []oracle.Split
		slide    time.Duration
		lateness time.Duration
		want     [][3]int // start, end, count
		wantLate int
	}{
		{
			name:   "row counts while its window's end is after the watermark of its split",
			splits: []oracle.Split{{Rows: seconds(1, 11, 9, 12, 9)}},
			// The watermark is the largest time before the row minus 2 s: at the last row 10, where [0, 10) ends.
			slide: 10 * time.Second, want: [][3]int{{0, 10, 2}, {10, 20, 2}}, wantLate: 1,
		},
		{
			name:   "another split's rows make no row late",
			splits: []oracle.Split{{Rows: seconds(100)}, {Rows: seconds(1)}},
			slide:  10 * time.Second, want: [][3]int{{0, 10, 1}, {100, 110, 1}},
		},
		{
			name:   "allowed lateness keeps a row",
			splits: []oracle.Split{{Rows: seconds(1, 13, 9)}},
			slide:  10 * time.Second, lateness: 2 * time.Second, want: [][3]int{{0, 10, 2}, {10, 20, 1}},
		},
		{
			name:   "row late for the first of its sliding windows counts for the second",
			splits: []oracle.Split{{Rows: seconds(13, 7)}},
			slide:  5 * time.Second, want: [][3]int{{5, 15, 2}, {10, 20, 1}},
		},
		{
			name:   "row in a gap between windows is not late",
			splits: []oracle.Split{{Rows: seconds(1, 12)}},
			slide:  20 * time.Second, want: [][3]int{{0, 10, 1}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			outputs, counts, err := oracle.Run(countPlan(tt.slide, tt.lateness), map[string][]oracle.Split{"s": tt.splits})
			if err != nil {
				t.Fatal(err)
			}
			var want [][]any
			for _, w := range tt.want {
				want = append(want, []any{batch.Time(w[0]) * 1_000_000, batch.Time(w[1]) * 1_000_000, int64(w[2])})
			}
			if diff := oracle.Diff(want, outputs["out"], true); diff != "" || counts.Late != tt.wantLate {
				t.Errorf("late rows: want %d, got %d; rows (-want +got)\n%s", tt.wantLate, counts.Late, diff)
			}
		})
	}
}

// countPlan counts rows in windows of 10 s; watermarks are 2 s behind.
func countPlan(slide, lateness time.Duration) *operators.Plan {
	in := arrow.NewSchema([]arrow.Field{{Name: "at", Type: batch.Timestamp}}, nil)
	out := arrow.NewSchema([]arrow.Field{
		{Name: "window.start", Type: batch.Timestamp}, {Name: "window.end", Type: batch.Timestamp}, {Name: "n", Type: batch.BigInt},
	}, nil)
	return &operators.Plan{Nodes: []*operators.Node{
		{ID: 0, Schema: in, Spec: &operators.ScanSpec{Source: "s", Columns: in.Fields(), Used: []int{0}, Delay: 2 * time.Second}},
		{ID: 1, Schema: out, Inputs: []int{0}, Spec: &operators.AggregateSpec{
			Window: &operators.WindowSpec{Time: expr.Column(in, 0), Size: 10 * time.Second, Slide: slide, Lateness: lateness},
			Aggs:   []operators.AggSpec{{Func: "count", Name: "n", Type: batch.BigInt}},
		}},
		{ID: 2, Schema: out, Inputs: []int{1}, Spec: &operators.OutputSpec{Sink: "out"}},
	}}
}

func TestWriters(t *testing.T) {
	split := oracle.Split{Rows: [][]any{
		{batch.Time(1_500_000), nil, "", true, 1.0},
		{nil, int64(-3), "say \"hi\", you", nil, nil},
	}}
	fields := []arrow.Field{{Name: "at"}, {Name: "n"}, {Name: "s"}, {Name: "b"}, {Name: "x"}}
	var csv, json bytes.Buffer
	if err := oracle.WriteCSV(&csv, split); err != nil {
		t.Fatal(err)
	}
	if err := oracle.WriteJSON(&json, fields, split); err != nil {
		t.Fatal(err)
	}
	wantCSV := "1970-01-01T00:00:01.5Z,,\"\",true,1.0\n,-3,\"say \"\"hi\"\", you\",,\n"
	if csv.String() != wantCSV {
		t.Errorf("csv: want %q, got %q", wantCSV, csv.String())
	}
	wantJSON := `{"at":"1970-01-01T00:00:01.5Z","n":null,"s":"","b":true,"x":1.0}` + "\n" +
		`{"at":null,"n":-3,"s":"say \"hi\", you","b":null,"x":null}` + "\n"
	if json.String() != wantJSON {
		t.Errorf("json: want %s, got %s", wantJSON, json.String())
	}
}
