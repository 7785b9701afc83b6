package egress

import (
	"github.com/tidemill/tidemill/batch"
)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 24 * 60 * 60 * microsPerSecond
)

// timeText writes TIMESTAMP values as batch.AppendTime does, keeping the text of the day from value to value.
type timeText struct {
	day    int64 // since the epoch
	prefix []byte
}

// dayBytes is the length of "2006-01-02T", which years outside 0000 to 9999 exceed.
const dayBytes = len("2006-01-02T")

func (t *timeText) append(dst []byte, us int64) []byte {
	day := us / microsPerDay
	rest := us - day*microsPerDay
	if rest < 0 {
		day, rest = day-1, rest+microsPerDay
	}
	if day != t.day || t.prefix == nil {
		whole := batch.AppendTime(t.prefix[:0], batch.Time(us-rest))
		if len(whole) != len("2006-01-02T15:04:05Z") {
			t.prefix = nil
			return batch.AppendTime(dst, batch.Time(us))
		}
		t.day, t.prefix = day, whole
	}
	dst = append(dst, t.prefix[:dayBytes]...)
	seconds, micros := rest/microsPerSecond, rest%microsPerSecond
	dst = appendTwo(dst, seconds/3600)
	dst = appendTwo(append(dst, ':'), seconds/60%60)
	dst = appendTwo(append(dst, ':'), seconds%60)
	if micros > 0 {
		dst = append(dst, '.')
		for unit := int64(microsPerSecond / 10); micros > 0; unit /= 10 {
			dst = append(dst, byte('0'+micros/unit))
			micros %= unit
		}
	}
	return append(dst, 'Z')
}

func appendTwo(dst []byte, v int64) []byte { return append(dst, byte('0'+v/10), byte('0'+v%10)) }
