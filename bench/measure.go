package bench

import (
	"errors"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Sample is one run of one program.
type Sample struct {
	Rows  int64         `json:"rows"`
	Bytes int64         `json:"bytes"`
	Wall  time.Duration `json:"wall_ns"`
	// CPU is the user and system time of the process, garbage collection included.
	CPU time.Duration `json:"cpu_ns"`
	// Objects is the number of heap objects that were allocated.
	Objects uint64 `json:"heap_objects"`
	// GC is the part of CPU that garbage collection took.
	GC float64 `json:"gc_share"`
	// PeakRSS is the largest resident memory of the process, in bytes, since the measurement began; where the system can't tell,
	// since the process did.
	PeakRSS int64 `json:"peak_rss"`
	// Load is the load average of the last minute, of all processes of the machine.
	Load   float64 `json:"load"`
	Answer Answer  `json:"answer"`
	// Slides is set by workloads of sliding windows.
	Slides *Slides `json:"slides,omitempty"`
	// Latency is set by workloads that measure it.
	Latency *Latency `json:"latency,omitempty"`
}

// RowsPerSecond returns rows by wall clock.
func (s *Sample) RowsPerSecond() float64 { return float64(s.Rows) / s.Wall.Seconds() }

// RowsPerCPU returns rows per second of CPU time.
func (s *Sample) RowsPerCPU() float64 { return float64(s.Rows) / s.CPU.Seconds() }

// meter measures the process between begin and end.
type meter struct {
	wall    time.Time
	cpu, gc time.Duration
	objects uint64
	profile *os.File // nil for none
}

// beginProfiled begins a measurement with a CPU profile, unless path is "".
func beginProfiled(path string) (*meter, error) {
	if path == "" {
		return begin(), nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m := begin()
	m.profile = f
	return m, nil
}

func begin() *meter {
	debug.FreeOSMemory() // what was before is not this program's
	// 5 sets the peak of resident memory back to what it is now: proc_pid_clear_refs(5).
	if f, err := os.OpenFile("/proc/self/clear_refs", os.O_WRONLY, 0); err == nil {
		f.WriteString("5") //nolint:errcheck // the peak is then that of the process
		f.Close()
	}
	m := &meter{}
	m.gc, m.objects = runtimeUse()
	m.cpu = cpuTime()
	m.wall = time.Now()
	return m
}

// end returns what was used since begin.
func (m *meter) end() Sample {
	s := Sample{Wall: time.Since(m.wall), CPU: cpuTime() - m.cpu, PeakRSS: peakRSS(), Load: LoadAverage()}
	if m.profile != nil {
		pprof.StopCPUProfile()
		m.profile.Close()
	}
	gc, objects := runtimeUse()
	s.Objects = objects - m.objects
	s.GC = (gc - m.gc).Seconds() / max(s.CPU.Seconds(), 1e-9)
	return s
}

func runtimeUse() (gc time.Duration, objects uint64) {
	values := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/gc/heap/allocs:objects"}}
	metrics.Read(values)
	return time.Duration(values[0].Value.Float64() * float64(time.Second)), values[1].Value.Uint64()
}

// cpuTime returns the user and system time of the process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS returns the largest resident memory in bytes.
func peakRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
				if err == nil {
					return kib << 10
				}
			}
		}
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Maxrss << 10
}

// LoadAverage returns that of the last minute, -1 if it is unknown.
func LoadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return -1
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return -1
	}
	return load
}
