package batch_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
)

// digitsOneByOne is ShortInt, byte by byte.
func digitsOneByOne(text string) (v int64, ok bool) {
	if len(text) < 1 || len(text) > 16 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	v, err := strconv.ParseInt(text, 10, 64)
	return v, err == nil
}

func TestShortInt(t *testing.T) {
	for n := range 19 {
		for _, digit := range []string{"0", "1", "9"} {
			checkShortInt(t, strings.Repeat(digit, n))
		}
		for at := range n { // every byte that is no digit, in every place
			for c := range 256 {
				text := []byte("1234567890123456789"[:n])
				text[at] = byte(c)
				checkShortInt(t, string(text))
			}
		}
	}
}

func FuzzShortInt(f *testing.F) {
	f.Add("1")
	f.Add("1234567890123")
	f.Add("123456789012345/")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, text string) { checkShortInt(t, text) })
}

func checkShortInt(t *testing.T, text string) {
	t.Helper()
	got, ok := batch.ShortInt([]byte(text))
	want, wantOK := digitsOneByOne(text)
	if ok != wantOK || ok && got != want {
		t.Fatalf("%q: got %d %t, want %d %t", text, got, ok, want, wantOK)
	}
}

func BenchmarkShortInt(b *testing.B) {
	for _, text := range []string{"1234", "12345678", "1700000000123"} {
		b.Run(fmt.Sprintf("bytes=%d", len(text)), func(b *testing.B) {
			in, sum := []byte(text), int64(0)
			for b.Loop() {
				v, _ := batch.ShortInt(in)
				sum += v
			}
			if sum == math.MinInt64 {
				b.Fatal("the sum is used")
			}
		})
	}
}
