package operators

import (
	"errors"
	"fmt"
)

// matchOp is what an instruction of a pattern's program does.
type matchOp uint8

const (
	// matchRow takes the next row as variable x.
	matchRow matchOp = iota
	// matchSplit goes on at x, and at y if that leads nowhere.
	matchSplit
	// matchJump goes on at x.
	matchJump
	// matchEnd ends the program: the rows so far match.
	matchEnd
)

// matchInst is an instruction. A pattern is compiled as regular expressions are for a backtracking machine (Thompson 1968;
// Cox, Regular Expression Matching: the Virtual Machine Approach, 2009).
//
//	A B* C   0: row A   1: split 2 4   2: row B   3: jump 1   4: row C   5: end
type matchInst struct {
	op   matchOp
	x, y int32
}

// maxProgram bounds programs, which {n,m} makes long. The value is a choice, not a measurement.
const maxProgram = 10_000

// compilePattern returns the program of p. A part that is repeated without bound has to take a row each time, or it would go on
// for ever at the same one.
func compilePattern(p *Pattern) ([]matchInst, error) {
	c := &patternCompiler{}
	if err := c.add(p); err != nil {
		return nil, err
	}
	c.emit(matchEnd, 0)
	if p.isNullable() {
		return nil, errors.New("pattern: it matches no rows at all: make at least one variable mandatory")
	}
	return c.program, nil
}

type patternCompiler struct{ program []matchInst }

func (c *patternCompiler) emit(op matchOp, x int) int {
	c.program = append(c.program, matchInst{op: op, x: int32(x)})
	return len(c.program) - 1
}

// split emits a choice between going on and leaving, of which the latter is not known yet.
func (c *patternCompiler) split(isLazy bool) (at int) {
	at = c.emit(matchSplit, 0)
	if isLazy {
		c.program[at].y = int32(at + 1)
	} else {
		c.program[at].x = int32(at + 1)
	}
	return at
}

// leave makes the choice at at lead to here.
func (c *patternCompiler) leave(at int, isLazy bool) {
	if isLazy {
		c.program[at].x = int32(len(c.program))
	} else {
		c.program[at].y = int32(len(c.program))
	}
}

func (c *patternCompiler) add(p *Pattern) error {
	for range p.Min {
		if err := c.once(p); err != nil {
			return err
		}
	}
	if p.Max < 0 {
		if p.isBodyNullable() {
			return errors.New("pattern: what is repeated without bound can match no rows: give it a mandatory variable")
		}
		at := c.split(p.IsLazy)
		if err := c.once(p); err != nil {
			return err
		}
		c.emit(matchJump, at)
		c.leave(at, p.IsLazy)
		return nil
	}
	var exits []int
	for range p.Max - p.Min {
		exits = append(exits, c.split(p.IsLazy))
		if err := c.once(p); err != nil {
			return err
		}
	}
	for _, at := range exits {
		c.leave(at, p.IsLazy)
	}
	return nil
}

// once adds one repetition of p.
func (c *patternCompiler) once(p *Pattern) error {
	if len(c.program) > maxProgram {
		return fmt.Errorf("pattern: it is too long once its repetitions are written out: more than %d steps", maxProgram)
	}
	switch {
	case len(p.Parts) == 0:
		c.emit(matchRow, p.Var)
	case p.IsAny:
		var ends []int
		for i, part := range p.Parts {
			if i == len(p.Parts)-1 {
				if err := c.add(part); err != nil {
					return err
				}
				break
			}
			at := c.split(false)
			if err := c.add(part); err != nil {
				return err
			}
			ends = append(ends, c.emit(matchJump, 0))
			c.leave(at, false)
		}
		for _, at := range ends {
			c.program[at].x = int32(len(c.program))
		}
	default:
		for _, part := range p.Parts {
			if err := c.add(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// isNullable says whether p can match no rows.
func (p *Pattern) isNullable() bool { return p.Min == 0 || p.isBodyNullable() }

// isBodyNullable is isNullable for one repetition.
func (p *Pattern) isBodyNullable() bool {
	if len(p.Parts) == 0 {
		return false
	}
	for _, part := range p.Parts {
		if part.isNullable() == p.IsAny {
			return p.IsAny
		}
	}
	return !p.IsAny
}
