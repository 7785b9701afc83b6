package batch_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/invariants"
)

// newPool returns a pool whose memory must all be back when the test ends.
func newPool(t testing.TB) *batch.Pool {
	t.Helper()
	pool := batch.NewPool(0)
	t.Cleanup(func() {
		if used := pool.Used(); used != 0 {
			t.Errorf("%d bytes are in use at the end", used)
		}
	})
	return pool
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

func TestPoolRoundsSizesUp(t *testing.T) {
	for _, tt := range []struct {
		name       string
		size, used int
	}{
		{name: "one byte takes the smallest class", size: 1, used: 64},
		{name: "the smallest class is used up to its end", size: 64, used: 64},
		{name: "a byte more takes the next class", size: 65, used: 128},
		{name: "a power of two is its own class", size: 64 << 10, used: 64 << 10},
		{name: "a byte more than a power of two doubles", size: 64<<10 + 1, used: 128 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := newPool(t)
			b := pool.Allocate(tt.size)
			if len(b) != tt.size || cap(b) != tt.used || pool.Used() != int64(tt.used) {
				t.Errorf("length %d, capacity %d, %d in use, want %d, %d, %d", len(b), cap(b), pool.Used(), tt.size, tt.used, tt.used)
			}
			pool.Free(b)
		})
	}
}

func TestPoolAllocatesNothingForNoBytes(t *testing.T) {
	pool := newPool(t)
	for _, b := range [][]byte{pool.Allocate(0), pool.Allocate(-1), pool.Reallocate(0, pool.Allocate(100)), nil} {
		if b != nil {
			t.Errorf("got %d bytes", len(b))
		}
		pool.Free(b)
	}
	if s := batch.MakeSlice[int64](pool, 0); s != nil {
		t.Errorf("got %d values", len(s))
	}
	batch.FreeSlice[int64](pool, nil)
}

func TestPoolAlignsBuffersAndLeavesSlackBehindThem(t *testing.T) {
	pool := newPool(t)
	var held [][]byte
	for size := 1; size < 5000; size += 37 {
		b := pool.Allocate(size)
		if address(b)%64 != 0 {
			t.Fatalf("buffer of %d bytes is not aligned: %#x", size, address(b))
		}
		// Slack may be read by wide loads; that it can be written without harm to another buffer shows that it is there.
		behind := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), cap(b))), batch.Slack)
		for i := range behind {
			behind[i] = 0xEE
		}
		for i := range b {
			b[i] = byte(size)
		}
		held = append(held, b)
	}
	for _, b := range held {
		for _, v := range b {
			if v != byte(len(b)) {
				t.Fatalf("buffer of %d bytes was overwritten with %#x", len(b), v)
			}
		}
		pool.Free(b)
	}
}

func TestPoolHandsOutTheLastFreedBufferOfTheClass(t *testing.T) {
	pool := newPool(t)
	first := pool.Allocate(1000)
	for i := range first {
		first[i] = 7
	}
	start := address(first)
	pool.Free(first)
	other := pool.Allocate(3000) // another class
	second := pool.Allocate(600)
	if address(second) != start || address(other) == start {
		t.Errorf("buffer at %#x was not used again: got %#x", start, address(second))
	}
	want := byte(7) // not zeroed
	if invariants.Enabled {
		want = 0xDB // poisoned
	}
	if second[0] != want || second[599] != want {
		t.Errorf("the buffer holds %#x and %#x, want %#x", second[0], second[599], want)
	}
	if all, fresh := pool.Allocations(); all != 3 || fresh != 2 {
		t.Errorf("%d allocations, %d from the heap, want 3 and 2", all, fresh)
	}
	pool.Free(second)
	pool.Free(other)
}

func TestPoolReallocates(t *testing.T) {
	for _, tt := range []struct {
		name           string
		from, to, kept int
		moves          bool
	}{
		{name: "growth within the class stays in place", from: 70, to: 128, kept: 70},
		{name: "growth out of the class moves the bytes", from: 70, to: 129, kept: 70, moves: true},
		{name: "shrinking within the class stays in place", from: 128, to: 65, kept: 65},
		{name: "shrinking out of the class moves the bytes that are left", from: 5000, to: 10, kept: 10, moves: true},
		{name: "nothing to something allocates", from: 0, to: 10, kept: 0, moves: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := newPool(t)
			b := pool.Allocate(tt.from)
			for i := range b {
				b[i] = byte(i)
			}
			start := address(b)
			b = pool.Reallocate(tt.to, b)
			if len(b) != tt.to || (address(b) != start) != tt.moves {
				t.Errorf("%d bytes, moved %v, want %d bytes, %v", len(b), address(b) != start, tt.to, tt.moves)
			}
			for i := range tt.kept {
				if b[i] != byte(i) {
					t.Fatalf("byte %d is %d", i, b[i])
				}
			}
			if pool.Used() != int64(cap(b)) {
				t.Errorf("%d bytes in use for a buffer of %d", pool.Used(), cap(b))
			}
			pool.Free(b)
		})
	}
}

func TestPoolErrSaysWhenTheBudgetIsPassed(t *testing.T) {
	pool := batch.NewPool(1024)
	b := pool.Allocate(1024)
	if err := pool.Err(); err != nil {
		t.Errorf("the whole budget in use is an error: %v", err)
	}
	c := pool.Allocate(1)
	err := pool.Err()
	if !errors.Is(err, batch.ErrMemory) || err.Error() != "memory budget exceeded: 1088 bytes in use, budget 1024" {
		t.Errorf("got %v", err)
	}
	pool.Free(c)
	if err := pool.Err(); err != nil {
		t.Errorf("the error stays after Free: %v", err)
	}
	pool.Free(b)
	if pool.Used() != 0 || pool.Budget() != 1024 {
		t.Errorf("%d bytes in use, budget %d", pool.Used(), pool.Budget())
	}
}

func TestPoolKeepsABoundedNumberOfFreeBuffers(t *testing.T) {
	for _, tt := range []struct {
		name            string
		size, num, kept int
	}{
		{name: "64 small ones", size: 100, num: 100, kept: 64},
		{name: "64 MiB of large ones", size: 16 << 20, num: 6, kept: 4},
		{name: "one of 64 MiB", size: 64 << 20, num: 2, kept: 1},
		{name: "none of more than 64 MiB", size: 64<<20 + 1, num: 1, kept: 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := newPool(t)
			var held [][]byte
			for range 2 {
				held = held[:0]
				for range tt.num {
					held = append(held, pool.Allocate(tt.size))
				}
				for _, b := range held {
					pool.Free(b)
				}
			}
			if _, fresh := pool.Allocations(); int(fresh) != 2*tt.num-tt.kept {
				t.Errorf("%d of %d buffers were kept, want %d", 2*tt.num-int(fresh), tt.num, tt.kept)
			}
		})
	}
}

func TestAccountCountsWhatItsOwnerHolds(t *testing.T) {
	pool := newPool(t)
	window, join := pool.Account("window"), pool.Account("join")
	if window.Name() != "window" {
		t.Errorf("name is %q", window.Name())
	}
	a, b := window.Allocate(100), join.Allocate(5000)
	a = window.Reallocate(1000, a)
	s := batch.AppendSlice(join, batch.MakeSlice[int64](join, 8), 9)
	if window.Used() != 1024 || join.Used() != 8192+128 || pool.Used() != 1024+8192+128 {
		t.Errorf("window %d, join %d, pool %d", window.Used(), join.Used(), pool.Used())
	}
	window.Free(window.Reallocate(0, a))
	join.Free(b)
	batch.FreeSlice(join, s)
	if window.Used() != 0 || join.Used() != 0 {
		t.Errorf("after Free: window %d, join %d", window.Used(), join.Used())
	}
}

func TestPoolSlicesKeepTheirValuesAsTheyGrow(t *testing.T) {
	pool := newPool(t)
	var s []int32
	for i := range int32(10_000) {
		s = batch.AppendSlice(pool, s, i, -i)
	}
	if all, _ := pool.Allocations(); all > 16 {
		t.Errorf("%d allocations: growth is not by doubling", all)
	}
	s = batch.GrowSlice(pool, s, 100_000)
	if len(s) != 100_000 {
		t.Fatalf("length %d", len(s))
	}
	for i := range int32(10_000) {
		if s[2*i] != i || s[2*i+1] != -i {
			t.Fatalf("pair %d is %d, %d", i, s[2*i], s[2*i+1])
		}
	}
	if short := batch.GrowSlice(pool, s, 5); len(short) != 5 || unsafe.SliceData(short) != unsafe.SliceData(s) {
		t.Errorf("a slice with room moved, or has %d values", len(short))
	}
	batch.FreeSlice(pool, s[:1]) // any length will do
	wide := batch.MakeSlice[float64](pool, 9)
	if cap(wide) != 16 {
		t.Errorf("9 values have capacity %d: the class is not used up", cap(wide))
	}
	batch.FreeSlice(pool, wide)
}

func TestPoolIsSafeForConcurrentUse(t *testing.T) {
	pool := newPool(t)
	account := pool.Account("all")
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			var held [][]byte
			for range 2000 {
				if len(held) > 0 && random.IntN(2) == 0 {
					k := random.IntN(len(held))
					b := held[k]
					if b[0] != byte(worker) || b[len(b)-1] != byte(worker) {
						t.Errorf("a buffer of worker %d belongs to others as well", worker)
					}
					held[k] = held[len(held)-1]
					held = held[:len(held)-1]
					account.Free(b)
					continue
				}
				b := account.Allocate(1 + random.IntN(2000))
				b[0], b[len(b)-1] = byte(worker), byte(worker)
				held = append(held, b)
			}
			for _, b := range held {
				account.Free(b)
			}
		})
	}
	wg.Wait()
	if account.Used() != 0 {
		t.Errorf("%d bytes are in the account", account.Used())
	}
}

func TestPoolFindsMisuseInTestBuilds(t *testing.T) {
	if !invariants.Enabled {
		t.Skip("needs the tag invariants")
	}
	for _, tt := range []struct {
		name, want string
		misuse     func(*batch.Pool)
	}{
		{name: "a buffer freed twice", want: "bug: pool: buffer of 128 bytes freed twice", misuse: func(p *batch.Pool) {
			b := p.Allocate(100)
			p.Free(b)
			p.Free(b)
		}},
		{name: "a buffer written after Free", want: "bug: pool: buffer of 128 bytes written after Free, at byte 3", misuse: func(p *batch.Pool) {
			b := p.Allocate(100)
			p.Free(b)
			b[3] = 1
			p.Allocate(100)
		}},
		{name: "a part of a buffer", want: "bug: pool: free of 127 bytes that are not a whole buffer", misuse: func(p *batch.Pool) {
			p.Free(p.Allocate(100)[1:])
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}()
			tt.misuse(batch.NewPool(0))
		})
	}
}

// BenchmarkAllocate is the reason for Pool: what it costs to get, fill and give back a column's buffer of 8192 rows.
func BenchmarkAllocate(b *testing.B) {
	const size = 64 << 10
	for _, bb := range []struct {
		name string
		mem  memory.Allocator
	}{
		{"allocator=pool", batch.NewPool(0)},
		{"allocator=account", batch.NewPool(0).Account("bench")},
		{"allocator=go", memory.DefaultAllocator},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				buf := bb.mem.Allocate(size)
				for i := 0; i < len(buf); i += 8 {
					*(*int64)(unsafe.Pointer(&buf[i])) = int64(i)
				}
				bb.mem.Free(buf)
			}
		})
	}
}
