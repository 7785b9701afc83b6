package operators

import "fmt"

// CustomSpec is an operator that a package above this one makes, for example around functions of the user's own types. It runs in
// the tail: once, behind the workers, with rows in order of (split, row). The plan can't look into it: it uses all columns of
// its inputs. It may be Stateful, and Keyed to get a partial per worker.
type CustomSpec struct {
	// Text is the line of EXPLAIN, without name and schema.
	Text string
	// New makes the operator of n: n.Name is how its state is called, n.Schema what it emits.
	New func(n *Node, env Env) (Operator, error)
	// Tables returns the tables that an operator of this name keeps, as its StateTables does; nil: none. Their Meaning is a
	// sentence: state is only used by an operator that says the same.
	Tables func(name string) []StateTable
}

// String returns the line of EXPLAIN.
func (s *CustomSpec) String() string { return s.Text }

// newCustom makes the operator of a node, and sees that it keeps what its spec says.
func newCustom(n *Node, s *CustomSpec, env Env) (Operator, error) {
	op, err := s.New(n, env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Text, err)
	}
	if _, isStateful := op.(Stateful); isStateful != (s.Tables != nil) {
		op.Close()
		return nil, fmt.Errorf("%s: an operator is Stateful exactly if its spec has Tables", s.Text)
	}
	return op, nil
}
