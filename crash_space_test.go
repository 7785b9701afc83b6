package tidemill_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

// weighedDisk weighs the segments of a checkpoint, and the state that lives in them, whenever a commit becomes visible.
type weighedDisk struct {
	vfs.FS
	t       *testing.T
	commits int
	largest float64 // of the ratios of both
	peak    float64 // the same when a segment is about to be removed: old and new ones are there then
	live    int64   // at the last commit
}

func (d *weighedDisk) Rename(from, to string) error {
	if path.Dir(to) == crashOut+"/totals" {
		d.commits++
		d.live = d.liveBytes()
		d.largest = max(d.largest, float64(d.stored())/float64(d.live))
	}
	return d.FS.Rename(from, to)
}

func (d *weighedDisk) Remove(name string) error {
	if strings.HasSuffix(name, ".seg") && d.live > 0 {
		d.peak = max(d.peak, float64(d.stored())/float64(d.live))
	}
	return d.FS.Remove(name)
}

// stored returns the size of all segments.
func (d *weighedDisk) stored() (size int64) { return segmentBytes(d.t, d.FS, crashState) }

func segmentBytes(t *testing.T, fs vfs.FS, dir string) (size int64) {
	for _, name := range fileNames(t, fs, dir) {
		if strings.HasSuffix(name, ".seg") {
			info, err := fs.Stat(path.Join(dir, name))
			must(t, err)
			size += info.Size()
		}
	}
	return size
}

// liveBytes returns the size of the last commit's state, saved in full into an empty directory.
func (d *weighedDisk) liveBytes() int64 {
	from, err := checkpoint.OpenReadOnly(d.FS, crashState, checkpoint.Options{Mem: batch.NewPool(0)})
	must(d.t, err)
	defer from.Close()
	mem := vfs.NewMem()
	to, err := checkpoint.Open(mem, "/live", checkpoint.Options{Mem: batch.NewPool(0), Compression: checkpoint.Uncompressed})
	must(d.t, err)
	defer to.Close()
	for _, info := range from.Tables() {
		spec := checkpoint.Table{Name: info.Name, Schema: info.Schema, Keys: info.Keys, Version: info.Version, Meaning: info.Meaning}
		must(d.t, from.Restore(context.Background(), info.Name, func(shard int, rows arrow.RecordBatch) error {
			return to.Save(context.Background(), spec, shard, true, rows, nil)
		}))
	}
	must(d.t, to.Decide(context.Background(), checkpoint.Record{Job: "live", Commit: 1}))
	return segmentBytes(d.t, mem, "/live")
}

// TestCheckpointStaysWithinABoundOfTheLiveState runs a job in which groups change, come and go in every commit: what it has on disk
// after any commit is at most two and a half times what an image of the state takes.
func TestCheckpointStaysWithinABoundOfTheLiveState(t *testing.T) {
	t.Logf("-seed=%d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 11))
	dir := t.TempDir()
	var text strings.Builder
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const rows, perInterval, users = 300_000, 6000, 30_000
	for i := range rows {
		if i%perInterval == 0 {
			at = at.Add(time.Second)
		}
		user := i
		if i >= users { // first each once, then by chance
			user = rng.IntN(users)
		}
		fmt.Fprintf(&text, "%s,u%d,%d\n", at.Format("2006-01-02T15:04:05Z"), user, i)
	}
	writeFile(t, filepath.Join(dir, "in.csv"), text.String())
	disk := &weighedDisk{FS: vfs.NewMem(), t: t}
	cfg := tidemill.Config{
		FS: disk, Checkpoint: crashState, CommitEvery: 1, Workers: 2, Compression: "none",
		Clock: &creepingClock{now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)},
	}
	must(t, runToEnd(t, cfg, fmt.Sprintf(`
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at) FROM 'file:%s/in.csv' FORMAT CSV WITH (max_rows_per_interval = %d);
CREATE SINK totals INTO 'file:%[3]s/totals' FORMAT CSV AS SELECT user, count(*) AS c, sum(n) AS s FROM e GROUP BY user;
CREATE SINK windows INTO 'file:%[3]s/windows' FORMAT CSV AS
  SELECT window.end, user, max(n) AS hi FROM e GROUP BY window(at, '4 seconds', '2 seconds'), user`, dir, perInterval, crashOut), nil))
	t.Logf("%d commits, on disk up to %.2f times the live state after a commit, %.2f before old segments go; %d bytes live in the end",
		disk.commits, disk.largest, disk.peak, disk.live)
	if disk.commits < rows/perInterval/2 {
		t.Errorf("%d commits were weighed", disk.commits)
	}
	if disk.largest > 2.5 {
		t.Errorf("on disk are %.2f times the live state, want at most 2.5", disk.largest)
	}
}
