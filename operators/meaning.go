package operators

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/invariants"
)

// meaning says what the tables of an aggregate were computed as. It is kept with them as StateTable.Meaning, so that another
// plan can be compared with it. Fields are only added, and mean what they meant before where they are missing.
type meaning struct {
	// Kind is that of the operator, "" for an aggregate, and Detail what it does besides its keys. Rows of another kind or detail
	// can't be gone on with.
	Kind       string             `json:"kind,omitempty"`
	Detail     string             `json:"detail,omitempty"`
	Window     *windowMeaning     `json:"window,omitempty"`
	Keys       []keyMeaning       `json:"keys,omitempty"`
	Aggregates []aggregateMeaning `json:"aggregates,omitempty"`
}

type windowMeaning struct {
	Time    string `json:"time"`
	Arrival bool   `json:"arrival,omitempty"`
	// Size, Slide and Offset are microseconds.
	Size   int64 `json:"size"`
	Slide  int64 `json:"slide"`
	Offset int64 `json:"offset,omitempty"`
	// Lateness is microseconds too. It is not part of how rows were divided, but of when windows closed.
	Lateness int64 `json:"lateness,omitempty"`
	// Kind is "" for sliding windows. Gap is that of a session with one per row; Rows and RowSlide are those of a count window.
	// FromStart says that Offset is counted from the start of the stream.
	FromStart bool `json:"from_start,omitempty"`

	Kind     string `json:"kind,omitempty"`
	Gap      string `json:"gap,omitempty"`
	Rows     int64  `json:"rows,omitempty"`
	RowSlide int64  `json:"row_slide,omitempty"`
}

type keyMeaning struct {
	Name string `json:"name"`
	Expr string `json:"expr"`
	Type string `json:"type"`
}

// aggregateMeaning is one aggregate. Name is what the columns of its state begin with; Arg and Type are "" for count(*).
type aggregateMeaning struct {
	Name string `json:"name"`
	Func string `json:"func"`
	Arg  string `json:"arg,omitempty"`
	Type string `json:"type,omitempty"`
	// By is the order of first, last, min_by and max_by, "" for arrival.
	By string `json:"by,omitempty"`
	// More and MoreTypes are the arguments behind Arg. Detail is what else its state depends on.
	More      []string `json:"more,omitempty"`
	MoreTypes []string `json:"more_types,omitempty"`
	Distinct  bool     `json:"distinct,omitempty"`
	Detail    string   `json:"detail,omitempty"`
	// State has the columns of an aggregate of the program.
	State []string `json:"state,omitempty"`
}

func meaningOf(spec *AggregateSpec) *meaning {
	m := &meaning{}
	if w := spec.Window; w != nil {
		m.Window = w.meaning()
	}
	for i, k := range spec.Keys {
		m.Keys = append(m.Keys, keyMeaning{Name: spec.KeyNames[i], Expr: k.String(), Type: batch.TypeName(k.Type)})
	}
	names := stateNames(spec.Aggs)
	for i, a := range spec.Aggs {
		g := aggregateMeaning{Name: names[i], Func: a.Func}
		if a.Arg != nil {
			g.Arg, g.Type = a.Arg.String(), batch.TypeName(a.Arg.Type)
		}
		if a.By != nil {
			g.By = a.By.String()
		}
		for _, more := range a.More {
			g.More, g.MoreTypes = append(g.More, more.String()), append(g.MoreTypes, batch.TypeName(more.Type))
		}
		g.Distinct, g.Detail = a.Distinct, a.detail()
		if a.User != nil {
			g.State = a.User.columnTexts()
		}
		m.Aggregates = append(m.Aggregates, g)
	}
	return m
}

func (m *meaning) encode() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic(invariants.Failf("meaning of state: %v", err))
	}
	return string(text)
}

// isAggregateMeaning tells the meaning of an aggregate from the sentence of a CustomSpec.
func isAggregateMeaning(text string) bool { return strings.HasPrefix(text, "{") }

func decodeMeaning(text string) (*meaning, error) {
	m := &meaning{}
	if err := json.Unmarshal([]byte(text), m); err != nil {
		return nil, fmt.Errorf("what its rows mean can't be read: %w", err)
	}
	return m, nil
}

// String returns the window as EXPLAIN shows it.
func (w *windowMeaning) String() string {
	if w == nil {
		return "no window"
	}
	spec := WindowSpec{
		Size: micros(w.Size), Slide: micros(w.Slide), Offset: micros(w.Offset), Lateness: micros(w.Lateness),
		Rows: w.Rows, RowSlide: w.RowSlide, FromStart: w.FromStart,
	}
	for kind, name := range windowKinds {
		if name.meaning == w.Kind {
			spec.Kind = WindowKind(kind)
		}
	}
	return spec.text(w.Time, w.Gap)
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// String returns the aggregate as SQL, without its name.
func (a *aggregateMeaning) String() string {
	if a.Arg == "" {
		return a.Func + "(*)"
	}
	args := strings.Join(append([]string{a.Arg}, a.More...), ", ")
	if a.Distinct {
		args = "DISTINCT " + args
	}
	return a.Func + "(" + args + ")"
}

// stateNames returns the names that the columns of the aggregates' states begin with: those of the aggregates, made unique.
func stateNames(aggs []AggSpec) []string {
	names := make([]string, len(aggs))
	taken := make(map[string]bool)
	for i := range aggs {
		name := aggs[i].Name
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s#%d", aggs[i].Name, n)
		}
		taken[name] = true
		names[i] = name
	}
	return names
}
