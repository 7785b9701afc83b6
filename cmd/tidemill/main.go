// Command tidemill runs streaming jobs that are written in SQL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
)

// The exit statuses.
const (
	statusDone   = 0
	statusFailed = 1 // the job failed
	statusWrong  = 2 // the job is wrong (SQL, options, usage), and nothing was opened
)

// wrongError is an error of the job's description, not of its run.
type wrongError struct{ error }

func (e wrongError) Unwrap() error { return e.error }

// streams are the process's input and output.
type streams struct {
	stdin  *os.File
	stdout io.Writer
	stderr io.Writer
}

type cli struct {
	Run        runCommand                `cmd:"" help:"Run a job until its sources end, a signal comes, or an error."`
	Check      checkCommand              `cmd:"" help:"Parse and type-check a job, opening nothing."`
	Explain    explainCommand            `cmd:"" help:"Print the plan of a job and the state that each operator keeps."`
	SQL        shellCommand              `cmd:"" name:"sql" help:"Ask for statements and run them: a session with history, completion and results in place."`
	Gen        genCommand                `cmd:"" help:"Write seeded data to stdout, a file or TCP."`
	Bench      benchCommand              `cmd:"" help:"Measure workloads beside yardsticks of this machine, in one run."`
	Checkpoint checkpointCommand         `cmd:"" help:"Look into a checkpoint directory."`
	Chaos      chaosCommand              `cmd:"" help:"Kill and restart a bounded job, and report lost and doubled rows."`
	Completion kongcompletion.Completion `cmd:"" help:"Print what makes a shell complete this command's arguments."`
	Version    versionCommand            `cmd:"" help:"Print the version."`
}

func main() {
	signal.Ignore(syscall.SIGPIPE) // who reads stdout may have seen enough: a write's error then ends the command calmly
	os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run is the command with its arguments, and returns the exit status.
func run(ctx context.Context, args []string, s streams) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("tidemill"),
		kong.Description("A stream processor in one process: SQL over files, sockets and pipes, in intervals, exactly once.\n\n"+
			"Try: tidemill run -e \"CREATE SOURCE t FROM 'stdin:' FORMAT TEXT; SELECT upper(value) AS v FROM t\""),
		kong.Writers(s.stdout, s.stderr),
		kong.Exit(func(status int) { exited = status }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s))
	if err != nil {
		fmt.Fprintln(s.stderr, err)
		return statusWrong
	}
	kongcompletion.Register(parser)
	if exited >= 0 { // a shell asked how the line may go on
		return exited
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(s.stderr, "tidemill: %s\ntry: tidemill --help\n", err)
		return statusWrong
	}
	err = parsed.Run()
	if err == nil {
		return statusDone
	}
	printError(s.stderr, err)
	if _, isWrong := errors.AsType[wrongError](err); isWrong {
		return statusWrong
	}
	return statusFailed
}
