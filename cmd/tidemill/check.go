package main

import (
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/operators"
)

type checkCommand struct {
	jobFlags
	Mode string `placeholder:"MODE" help:"Output mode of results that do not say: append, update or complete."`
}

// Run checks the job.
func (c *checkCommand) Run(s streams) error {
	plan, err := plan(&c.jobFlags, c.Mode, s)
	if err != nil {
		return err
	}
	sinks := 0
	for _, n := range plan.Nodes {
		if _, ok := n.Spec.(*operators.OutputSpec); ok {
			sinks++
		}
	}
	fmt.Fprintf(s.stdout, "ok: %s, %s\n", plural(int64(len(plan.Nodes)-sinks), "operator"), plural(int64(sinks), "result"))
	return nil
}

type explainCommand struct {
	jobFlags
	Mode string `placeholder:"MODE" help:"Output mode of results that do not say: append, update or complete."`
}

// Run prints the plan.
func (c *explainCommand) Run(s streams) error {
	plan, err := plan(&c.jobFlags, c.Mode, s)
	if err != nil {
		return err
	}
	fmt.Fprint(s.stdout, plan.String())
	return nil
}

// plan returns the plan of a job that is right, opening nothing.
func plan(flags *jobFlags, mode string, s streams) (*operators.Plan, error) {
	text, err := flags.text(s.stdin)
	if err != nil {
		return nil, err
	}
	job, err := tidemill.NewCheck(tidemill.Config{Mode: mode})
	if err != nil {
		return nil, wrongError{err}
	}
	if err := job.SQL(text); err != nil {
		return nil, wrongError{err}
	}
	p, err := job.Plan()
	if err != nil {
		return nil, wrongError{err}
	}
	return p, nil
}
