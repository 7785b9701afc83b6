package checkpoint_test

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	files := smallJob(t)
	var names []string
	for n := range files {
		if !strings.HasSuffix(n, "LOCK") {
			names = append(names, n)
		}
	}
	start := time.Now()
	n := 0
	for time.Since(start) < 20*time.Second {
		n++
		mod := map[string][]byte{}
		for _, k := range names {
			b := append([]byte(nil), files[k]...)
			for range rand.IntN(3) {
				switch rand.IntN(4) {
				case 0:
					b[rand.IntN(len(b))] = byte(rand.Uint32())
				case 1:
					b = b[:1+rand.IntN(len(b))]
				case 2:
					i := rand.IntN(len(b))
					b = append(b[:i:i], append([]byte{byte(rand.Uint32())}, b[i:]...)...)
				case 3:
					i := rand.IntN(len(b))
					b = append(b, b[i:]...)
				}
			}
			mod[filepath.Join(dir, strings.TrimPrefix(k, dir))] = fixCRCs(b)
		}
		s := time.Now()
		mem := memWith(t, mod)
		outcome(t, mem)
		if d := time.Since(s); d > 50*time.Millisecond {
			t.Logf("slow: %v", d)
		}
	}
	t.Log(n)
}
