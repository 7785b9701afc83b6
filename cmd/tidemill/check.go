package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/operators"
)

type checkCommand struct {
	jobFlags
	defaultFlags
}

// defaultFlags are what the sinks of a job do not say.
type defaultFlags struct {
	Mode     string        `placeholder:"MODE" help:"Output mode of results that do not say: append, update or complete."`
	Align    string        `enum:"epoch,start" default:"epoch" help:"Where windows of time begin."`
	Lateness time.Duration `placeholder:"TIME" help:"How long after the end of its windows a row still counts, in sinks that do not say."`
}

// Run checks the job.
func (c *checkCommand) Run(s streams) error {
	plan, err := plan(&c.jobFlags, c.defaultFlags, s)
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
	defaultFlags
	Against   string   `placeholder:"DIR" help:"Say what a start from this checkpoint would keep, migrate, rebuild or refuse, and why."`
	DropState []string `placeholder:"NAME" sep:"none" help:"As for run."`
}

// Run prints the plan, or what a checkpoint means to it.
func (c *explainCommand) Run(s streams) error {
	if c.Against != "" {
		return c.compare(s)
	}
	plan, err := plan(&c.jobFlags, c.defaultFlags, s)
	if err != nil {
		return err
	}
	fmt.Fprint(s.stdout, plan.String())
	return nil
}

// compare prints what a start from a checkpoint would do. Columns that are inferred are those that a start would infer.
func (c *explainCommand) compare(s streams) error {
	job, err := describe(&c.jobFlags, tidemill.Config{Mode: c.Mode, Lateness: c.Lateness, Align: c.Align, DropState: c.DropState, Stdin: s.stdin}, newJob, s)
	if err != nil {
		return err
	}
	if err := job.Check(); err != nil {
		return wrongError{err}
	}
	m, err := job.Against(c.Against)
	if err != nil {
		return err
	}
	if m.Commit == 0 {
		fmt.Fprintf(s.stdout, "%s: nothing was committed yet\n", c.Against)
		return nil
	}
	fmt.Fprintf(s.stdout, "%s: job %s, commit %d, up to %s\n\n", c.Against, m.Job, m.Commit, m.End)
	w := tabwriter.NewWriter(s.stdout, 0, 4, 2, ' ', 0)
	for _, change := range m.Changes {
		fmt.Fprintf(w, "%s\t%s", change.Name, change.Fate)
		for i, why := range change.Why {
			if i > 0 {
				fmt.Fprint(w, "\n\t")
			}
			fmt.Fprintf(w, "\t%s", why)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if m.Err() != nil {
		return wrongError{fmt.Errorf("checkpoint %s: %w", c.Against, tidemill.ErrRefused)}
	}
	return nil
}

// plan returns the plan of a job that is right, opening nothing.
func plan(flags *jobFlags, defaults defaultFlags, s streams) (*operators.Plan, error) {
	job, err := describe(flags, tidemill.Config{Mode: defaults.Mode, Align: defaults.Align, Lateness: defaults.Lateness}, newCheck, s)
	if err != nil {
		return nil, err
	}
	p, err := job.Plan()
	if err != nil {
		return nil, wrongError{err}
	}
	return p, nil
}

// describe returns a job with the SQL that flags name.
func describe(flags *jobFlags, cfg tidemill.Config, construct func(tidemill.Config) (*tidemill.Context, error), s streams) (*tidemill.Context, error) {
	text, err := flags.text(s.stdin)
	if err != nil {
		return nil, err
	}
	cfg.Parameters = flags.Set
	job, err := construct(cfg)
	if err != nil {
		return nil, wrongError{err}
	}
	if err := job.SQL(text); err != nil {
		return nil, wrongError{err}
	}
	return job, nil
}

// Help shows examples.
func (*checkCommand) Help() string {
	return `Examples:

    tidemill check job.sql`
}

// Help shows examples.
func (*explainCommand) Help() string {
	return `Examples:

    tidemill explain job.sql
    tidemill explain --against state/ job.sql`
}
