package operators

import (
	"errors"
	"fmt"
	"time"
)

// maxWindowsPerRow bounds Size / Slide, and Size divided by the length of a pane: a window is assembled from its panes one by
// one, and a row's windows are listed one by one. The value is a choice, not a measurement.
const maxWindowsPerRow = 1 << 20

// Validate reports all that is wrong with a plan that the types of its parts do not tell.
func Validate(p *Plan) error {
	var errs []error
	names := make(map[string]int)
	for _, n := range p.Nodes {
		for _, in := range n.Inputs {
			if in < 0 || in >= n.ID {
				errs = append(errs, fmt.Errorf("plan: node %d: input %d is not before it", n.ID, in))
			}
		}
		if join, isJoin := n.Spec.(*JoinSpec); isJoin {
			errs = append(errs, join.validate(n.Name))
		}
		if join, isJoin := n.Spec.(*TableJoinSpec); isJoin {
			errs = append(errs, join.validate())
		}
		spec, isAggregate := n.Spec.(*AggregateSpec)
		if !isAggregate && StateTables(n) == nil {
			continue
		}
		if n.Name == "" {
			errs = append(errs, fmt.Errorf("plan: node %d: an operator with state needs a name, by which a restart finds it", n.ID))
		} else if other, taken := names[n.Name]; taken {
			errs = append(errs, fmt.Errorf("plan: nodes %d and %d both keep their state under the name %q: name one of them otherwise",
				other, n.ID, n.Name))
		}
		names[n.Name] = n.ID
		if isAggregate {
			errs = append(errs, validateAggregate(n.Name, spec))
		} else if s, ok := n.Spec.(validSpec); ok {
			errs = append(errs, s.validate(n.Name))
		}
		if source := p.updatingInput(n); source != nil {
			errs = append(errs, fmt.Errorf("%s: its input %s is an updating result, which changes rows that it gave before: only an "+
				"append result can be aggregated again or joined: give the inner aggregate a window over a column with a watermark",
				n.Name, source.Name))
		}
	}
	return errors.Join(errs...)
}

// validSpec is the spec of an operator with state that tells what is wrong with it.
type validSpec interface {
	// validate reports all that is wrong; name is that of the node.
	validate(name string) error
}

// updatingInput returns an aggregate above n whose rows are not final, or nil.
func (p *Plan) updatingInput(n *Node) *Node {
	for _, id := range n.Inputs {
		if id < 0 || id >= n.ID {
			continue
		}
		in := p.Nodes[id]
		if spec, ok := in.Spec.(*AggregateSpec); ok {
			if spec.Mode != Append {
				return in
			}
			continue // what is above it was looked at for itself
		}
		if found := p.updatingInput(in); found != nil {
			return found
		}
	}
	return nil
}

func validateAggregate(name string, s *AggregateSpec) error {
	var errs []error
	if s.Window == nil {
		if s.Mode == Append {
			errs = append(errs, fmt.Errorf("%s: an aggregate without a window is never final, so that append would never give a row: "+
				"use update or complete, or GROUP BY window(…)", name))
		}
	} else if err := s.Window.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	} else if err := s.Window.ValidateMode(s.Mode); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	if s.Early != 0 && (s.Window == nil || s.Mode != Update) {
		errs = append(errs, fmt.Errorf("%s: early results are those of windows in mode update", name))
	}
	if s.Early != NeverEarly && (s.Early < 0 || s.Early%time.Microsecond != 0) {
		errs = append(errs, fmt.Errorf("%s: early: must be whole microseconds and not negative: %s", name, s.Early))
	}
	if len(s.Keys) != len(s.KeyNames) {
		errs = append(errs, fmt.Errorf("%s: %d keys, %d key names", name, len(s.Keys), len(s.KeyNames)))
	}
	for _, a := range s.Aggs {
		if err := a.check(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func greatestDivisor[T ~int64](a, b T) T {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// isKeyless says whether the aggregate has one group that exists from the start.
func (s *AggregateSpec) isKeyless() bool { return s.Window == nil && len(s.Keys) == 0 }
