package optest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill/batch"
)

// script is the parsed input of a Case.
type script struct {
	pool   *batch.Pool
	frames []*batch.Frame // per input, all its rows
	steps  []step
	splits []int // per split, its input; -1 for numbers that are not used
}

// step is a run of rows of one split, the end of a split, or the end of an interval.
type step struct {
	kind     stepKind
	input    int
	split    int
	from, to int // rows of the input's frame
	interval batch.Interval
	// watermark replaces the computed one if hasWatermark.
	watermark    batch.Time
	hasWatermark bool
}

type stepKind uint8

const (
	rowsStep stepKind = iota
	splitEndStep
	intervalEndStep
)

func (s *script) close() {
	for _, f := range s.frames {
		f.Release()
	}
}

func parseScript(c *Case) (*script, error) {
	s := &script{pool: batch.NewPool(0)}
	texts := make([]strings.Builder, len(c.Schemas))
	counts := make([]int, len(c.Schemas))
	input, split := 0, 0
	interval := batch.Interval{ID: 1, Start: Start, End: Start + 1_000_000}
	for n, line := range strings.Split(c.In, "\n") {
		line = strings.TrimSpace(line)
		var err error
		switch {
		case line == "":
		case strings.HasPrefix(line, "---"):
			end := step{kind: intervalEndStep, interval: interval}
			err = end.parseOptions(strings.TrimLeft(line, "-"))
			s.steps = append(s.steps, end)
			interval = batch.Interval{ID: interval.ID + 1, Start: end.interval.End, End: end.interval.End + 1_000_000}
		case strings.HasPrefix(line, "#"):
			var ends bool
			if input, split, ends, err = parseScene(line[1:], input, split); ends {
				s.steps = append(s.steps, step{kind: splitEndStep, split: split})
			}
		default:
			texts[input].WriteString(line + "\n")
			last := len(s.steps) - 1
			if last < 0 || s.steps[last].kind != rowsStep || s.steps[last].input != input || s.steps[last].split != split {
				s.steps = append(s.steps, step{input: input, split: split, from: counts[input], to: counts[input]})
				last++
			}
			counts[input]++
			s.steps[last].to = counts[input]
			s.addSplit(split, input)
		}
		if err == nil && input >= len(c.Schemas) {
			err = fmt.Errorf("no such input: %d", input)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d of In: %w", n+1, err)
		}
	}
	if len(s.steps) == 0 || s.steps[len(s.steps)-1].kind != intervalEndStep {
		for split := range s.splits {
			s.steps = append(s.steps, step{kind: splitEndStep, split: split})
		}
		s.steps = append(s.steps, step{kind: intervalEndStep, interval: interval, watermark: batch.MaxTime, hasWatermark: true})
	}
	for i, schema := range c.Schemas {
		f, err := batch.Parse(s.pool, schema, texts[i].String())
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
		s.frames = append(s.frames, f)
	}
	return s, nil
}

func (s *script) addSplit(split, input int) {
	for len(s.splits) <= split {
		s.splits = append(s.splits, -1)
	}
	s.splits[split] = input
}

func (s *step) parseOptions(text string) error {
	for _, option := range strings.Fields(text) {
		name, value, _ := strings.Cut(option, "=")
		at, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return err
		}
		switch name {
		case "end":
			s.interval.End = batch.TimeOf(at)
		case "watermark":
			s.watermark, s.hasWatermark = batch.TimeOf(at), true
		default:
			return fmt.Errorf("no such option: %q", name)
		}
	}
	return nil
}

func parseScene(text string, oldInput, oldSplit int) (input, split int, ends bool, err error) {
	input, split = oldInput, oldSplit
	words := strings.Fields(text)
	for len(words) > 0 && err == nil {
		switch {
		case words[0] == "ends":
			ends = true
			words = words[1:]
		case words[0] == "input" && len(words) > 1:
			input, err = strconv.Atoi(words[1])
			words = words[2:]
		case words[0] == "split" && len(words) > 1:
			split, err = strconv.Atoi(words[1])
			words = words[2:]
		default:
			err = fmt.Errorf("not understood: %q", text)
		}
	}
	return input, split, ends, err
}
