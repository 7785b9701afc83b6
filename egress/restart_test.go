package egress_test

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/internal/vfs"
)

// TestRestart has what the engine may do between two openings of one sink.
func TestRestart(t *testing.T) {
	ctx := context.Background()
	schema := schemaOf("s TEXT")
	spec := egress.Spec{Job: testJob, Name: "x", Schema: schema}
	write := func(t *testing.T, s egress.Sink, pool *batch.Pool, text string) {
		f := mustRows(t, pool, schema, text)
		defer f.Release()
		must(t, s.Write(ctx, iv(1), rowsOf(f)))
	}
	prepare := func(t *testing.T, s egress.Sink, commit uint64) egress.Token {
		token, err := s.Prepare(ctx, commit)
		must(t, err)
		return token
	}
	tests := []struct {
		name string
		do   func(t *testing.T, mem *vfs.Mem, pool *batch.Pool)
		want string
	}{
		{
			name: "what was prepared and not decided is discarded",
			do: func(t *testing.T, mem *vfs.Mem, pool *batch.Pool) {
				s := openFile(t, mem, pool, "TEXT", nil, spec, 0, nil)
				write(t, s, pool, "lost\n")
				prepare(t, s, 1)
				must(t, s.Close())
				must(t, openFile(t, mem, pool, "TEXT", nil, spec, 0, nil).Close())
			},
		},
		{
			name: "what was not prepared is removed at closing",
			do: func(t *testing.T, mem *vfs.Mem, pool *batch.Pool) {
				s := openFile(t, mem, pool, "TEXT", map[string]string{"roll_rows": "1"}, spec, 0, nil)
				write(t, s, pool, "a\nb\n")
				must(t, s.Close())
			},
		},
		{
			name: "a decided token is committed at opening, also together with the one before",
			do: func(t *testing.T, mem *vfs.Mem, pool *batch.Pool) {
				s := openFile(t, mem, pool, "TEXT", nil, spec, 0, nil)
				write(t, s, pool, "one\n")
				prepare(t, s, 1)
				write(t, s, pool, "two\n")
				token := prepare(t, s, 2)
				write(t, s, pool, "lost\n")
				must(t, s.Close())
				must(t, openFile(t, mem, pool, "TEXT", nil, spec, 2, token).Close())
			},
			want: "x-01234567-0000000001-0000.txt:\none\nx-01234567-0000000002-0000.txt:\ntwo\n",
		},
		{
			name: "a committed file that its reader took away does not come back",
			do: func(t *testing.T, mem *vfs.Mem, pool *batch.Pool) {
				s := openFile(t, mem, pool, "TEXT", nil, spec, 0, nil)
				write(t, s, pool, "one\n")
				token := prepare(t, s, 1)
				must(t, s.Commit(ctx, 1, token))
				must(t, mem.Remove("out/x-01234567-0000000001-0000.txt"))
				must(t, s.Commit(ctx, 1, token))
				must(t, s.Close())
				must(t, openFile(t, mem, pool, "TEXT", nil, spec, 1, token).Close())
			},
		},
		{
			name: "another job and another sink in the directory are left alone",
			do: func(t *testing.T, mem *vfs.Mem, pool *batch.Pool) {
				other := egress.Spec{Job: "ffffffffffff", Name: "x", Schema: schema}
				s := openFile(t, mem, pool, "TEXT", nil, other, 0, nil)
				write(t, s, pool, "other\n")
				token := prepare(t, s, 1)
				longer := openFile(t, mem, pool, "TEXT", nil, egress.Spec{Job: testJob, Name: "xx", Schema: schema}, 0, nil)
				write(t, longer, pool, "longer\n")
				longerToken := prepare(t, longer, 1)
				must(t, openFile(t, mem, pool, "TEXT", nil, spec, 0, nil).Close())
				must(t, s.Commit(ctx, 1, token))
				must(t, longer.Commit(ctx, 1, longerToken))
				must(t, s.Close())
				must(t, longer.Close())
			},
			want: "x-ffffffff-0000000001-0000.txt:\nother\nxx-01234567-0000000001-0000.txt:\nlonger\n",
		},
		{
			name: "a commit number that was left out is left out in names",
			do: func(t *testing.T, mem *vfs.Mem, pool *batch.Pool) {
				s := openFile(t, mem, pool, "TEXT", nil, spec, 0, nil)
				write(t, s, pool, "four\n")
				must(t, s.Commit(ctx, 4, prepare(t, s, 4)))
				must(t, s.Close())
			},
			want: "x-01234567-0000000004-0000.txt:\nfour\n",
		},
		{
			name: "a decided token is committed where it was prepared, though the job now writes elsewhere",
			do: func(t *testing.T, mem *vfs.Mem, pool *batch.Pool) {
				s := openFile(t, mem, pool, "TEXT", nil, spec, 0, nil)
				write(t, s, pool, "one\n")
				token := prepare(t, s, 1)
				must(t, s.Close())
				moved := mustOpen(t, "file:elsewhere", "TEXT", nil, egress.OpenSpec{FS: mem, Mem: pool})
				must(t, moved.Open(ctx, spec, 1, token))
				must(t, moved.Close())
			},
			want: "x-01234567-0000000001-0000.txt:\none\n",
		},
		{
			name: "a decided token is committed in a directory that was renamed",
			do: func(t *testing.T, mem *vfs.Mem, pool *batch.Pool) {
				s := mustOpen(t, "file:before", "TEXT", nil, egress.OpenSpec{FS: mem, Mem: pool})
				must(t, s.Open(ctx, spec, 0, nil))
				write(t, s, pool, "one\n")
				token := prepare(t, s, 1)
				must(t, s.Close())
				must(t, mem.Rename("before", "out"))
				must(t, openFile(t, mem, pool, "TEXT", nil, spec, 1, token).Close())
			},
			want: "x-01234567-0000000001-0000.txt:\none\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mem := vfs.NewMem()
			tt.do(t, mem, newPool(t))
			if got := listing(t, mem, "out"); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestFileFaults(t *testing.T) {
	ctx := context.Background()
	schema := schemaOf("s TEXT")
	spec := egress.Spec{Job: testJob, Name: "x", Schema: schema}
	run := func(pool *batch.Pool, fsys vfs.FS, last egress.Token) error {
		s := mustOpen(t, "file:out", "TEXT", nil, egress.OpenSpec{FS: fsys, Mem: pool})
		defer s.Close()
		if err := s.Open(ctx, spec, 0, last); err != nil {
			return err
		}
		f := mustRows(t, pool, schema, "a\n")
		defer f.Release()
		if err := s.Write(ctx, iv(1), rowsOf(f)); err != nil {
			return err
		}
		token, err := s.Prepare(ctx, 1)
		if err != nil {
			if _, again := s.Prepare(ctx, 1); again == nil {
				t.Error("a second Prepare after a failed one gave no error")
			}
			return err
		}
		for _, name := range names(t, fsys) {
			if strings.HasPrefix(name, ".x") && last != nil {
				must(t, fsys.Remove("out/"+name))
			}
		}
		return s.Commit(ctx, 1, token)
	}
	tests := []struct {
		name string
		fs   func() vfs.FS
		last egress.Token
		want string
	}{
		{
			name: "the path is a file",
			fs: func() vfs.FS {
				mem := vfs.NewMem()
				_, err := mem.Create("out")
				must(t, err)
				return mem
			},
			want: `file sink "out": make the directory: mkdir out: not a directory: a file is in the way`,
		},
		{
			name: "the disk is full",
			fs:   func() vfs.FS { return vfs.NewFull(vfs.NewMem(), 1) },
			want: `file sink "out": finish a file: no space left on device: the disk is full: make room`,
		},
		{
			name: "no permission",
			fs:   func() vfs.FS { return vfs.FailNth(vfs.NewMem(), 3, syscall.EACCES) },
			want: `file sink "out": make the directory: permission denied: may not write there`,
		},
		{
			name: "a token of another sink",
			fs:   func() vfs.FS { return vfs.NewMem() },
			last: egress.Token("../../etc/passwd\n\nout"),
			want: "the checkpoint's note on prepared files is not of this sink",
		},
		{
			name: "a name with a separator in a token",
			fs:   func() vfs.FS { return vfs.NewMem() },
			last: egress.Token("x-01234567-/../y\n\nout"),
			want: "the checkpoint's note on prepared files is not of this sink",
		},
		{
			name: "a staged file is removed while the job runs",
			fs:   func() vfs.FS { return vfs.NewMem() },
			last: egress.Token{},
			want: "or a staged file in it was removed while the job ran",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := run(newPool(t), tt.fs(), tt.last)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %s", err, tt.want)
			}
		})
	}
}

func names(t *testing.T, fsys vfs.FS) (all []string) {
	entries, err := fsys.ReadDir("out")
	must(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
