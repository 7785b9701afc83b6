package bench

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Machine is where and of what numbers were measured.
type Machine struct {
	Time   time.Time `json:"time"`
	Commit string    `json:"commit"`
	Go     string    `json:"go"`
	OS     string    `json:"os"`
	CPU    string    `json:"cpu"`
	Cores  int       `json:"cores"`
	// MemoryBandwidth is how many bytes per second one core reads from memory.
	MemoryBandwidth float64 `json:"memory_bytes_per_second"`
	// Load is the load average when the run began.
	Load float64 `json:"load"`
	// Env has GOGC, GOMEMLIMIT and GOMAXPROCS where they are set.
	Env []string `json:"env,omitempty"`
}

// ThisMachine describes the machine and measures its memory, which takes some tenths of a second. version is that of the program.
func ThisMachine(version string) Machine {
	m := Machine{
		Time: time.Now().UTC().Truncate(time.Second), Commit: version, Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: cpuModel(), Cores: runtime.NumCPU(), Load: LoadAverage(), MemoryBandwidth: memoryBandwidth(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				m.Commit += " " + s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true":
				m.Commit += " with changes"
			}
		}
	}
	for _, name := range []string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"} {
		if v := os.Getenv(name); v != "" {
			m.Env = append(m.Env, name+"="+v)
		}
	}
	return m
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unknown"
}

// memoryBandwidth returns the bytes per second of adding up numbers in memory that is larger than any cache, the best of three.
func memoryBandwidth() float64 {
	numbers := make([]int64, 32<<20)
	for i := range numbers { // or all pages are the same one of zeroes
		numbers[i] = int64(i)
	}
	best := 0.0
	var sum int64
	for range 3 {
		began := time.Now()
		for i := 0; i < len(numbers); i += 8 {
			n := numbers[i : i+8 : i+8]
			sum += n[0] + n[1] + n[2] + n[3] + n[4] + n[5] + n[6] + n[7]
		}
		best = max(best, float64(8*len(numbers))/time.Since(began).Seconds())
	}
	if sum == 0 { // so that the loop is not left out
		return 0
	}
	return best
}
