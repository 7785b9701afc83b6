package bench

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// genStart is the event time at which generated data begin: the start of a window of every length up to a day.
var genStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// AdEvents makes the events of the Yahoo streaming benchmark as JSON lines of about 247 bytes with seven text fields. There are 100
// campaigns of 10 ads, 100 users and 100 pages; the first eight characters of an ad_id are its campaign's, which takes the place of
// the join from ads to campaigns. Ten events share a millisecond, each up to 50 ms early.
type AdEvents struct {
	rng               *rand.Rand
	n                 int64
	users, pages, ads []string
	shape             AdShape
	order             []int // of the fields, scratch
}

// AdShape is how the JSON of an AdEvents is written.
type AdShape int

// The shapes: fields in one order; in an order that changes with every line; with an escape in every page_id.
const (
	AdPlain AdShape = iota
	AdShuffled
	AdEscaped
)

// NewAdEvents returns events without end.
func NewAdEvents(seed uint64, shape AdShape) *AdEvents {
	e := &AdEvents{rng: rand.New(rand.NewPCG(seed, 3)), shape: shape, order: []int{0, 1, 2, 3, 4, 5, 6}}
	for range 100 {
		e.users = append(e.users, e.uuid(""))
		page := e.uuid("")
		if shape == AdEscaped {
			page = page[:8] + `\"` + page[8:16] + `\u00e9` + page[16:28]
		}
		e.pages = append(e.pages, page)
	}
	for range 100 {
		campaign := e.uuid("")[:8]
		for range 10 {
			e.ads = append(e.ads, e.uuid(campaign))
		}
	}
	return e
}

// uuid returns 36 characters that begin with prefix.
func (e *AdEvents) uuid(prefix string) string {
	const digits = "0123456789abcdef"
	b := []byte(prefix)
	for len(b) < 36 {
		switch len(b) {
		case 8, 13, 18, 23:
			b = append(b, '-')
		default:
			b = append(b, digits[e.rng.IntN(16)])
		}
	}
	return string(b)
}

var (
	adTypes    = [...]string{"banner", "modal", "sponsored-search", "mail", "mobile"}
	eventTypes = [...]string{"view", "click", "purchase"}
)

// Append appends an event.
func (e *AdEvents) Append(dst []byte) []byte {
	if e.shape == AdShuffled {
		e.rng.Shuffle(len(e.order), func(i, j int) { e.order[i], e.order[j] = e.order[j], e.order[i] })
	}
	at := genStart.UnixMilli() + 50 + e.n/10 - e.rng.Int64N(51)
	e.n++
	for i, field := range e.order {
		dst = append(dst, "{,,,,,,"[i])
		switch field {
		case 0:
			dst = appendField(dst, "user_id", e.users[e.rng.IntN(len(e.users))])
		case 1:
			dst = appendField(dst, "page_id", e.pages[e.rng.IntN(len(e.pages))])
		case 2:
			dst = appendField(dst, "ad_id", e.ads[e.rng.IntN(len(e.ads))])
		case 3:
			dst = appendField(dst, "ad_type", adTypes[e.rng.IntN(len(adTypes))])
		case 4:
			dst = appendField(dst, "event_type", eventTypes[e.rng.IntN(len(eventTypes))])
		case 5:
			dst = append(strconv.AppendInt(append(dst, `"event_time":"`...), at, 10), '"')
		case 6:
			dst = append(dst, `"ip_address":"10.`...)
			dst = append(strconv.AppendInt(dst, e.rng.Int64N(256), 10), '.')
			dst = append(strconv.AppendInt(dst, e.rng.Int64N(256), 10), '.')
			dst = append(strconv.AppendInt(dst, e.rng.Int64N(256), 10), '"')
		}
	}
	return append(dst, '}', '\n')
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	dst = append(dst, `":"`...)
	dst = append(dst, value...)
	return append(dst, '"')
}

// Orders makes JSON lines of about 75 bytes: a time in milliseconds, a customer out of 1,000, an amount with two decimals and a
// type. Ten lines share a millisecond; times never run back.
type Orders struct {
	rng *rand.Rand
	n   int64
}

// NewOrders returns orders without end.
func NewOrders(seed uint64) *Orders { return &Orders{rng: rand.New(rand.NewPCG(seed, 4))} }

// Append appends an order.
func (o *Orders) Append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"ts":`...), genStart.UnixMilli()+o.n/10, 10)
	o.n++
	dst = strconv.AppendInt(append(dst, `,"user":"customer`...), 1000+o.rng.Int64N(1000), 10)
	dst = strconv.AppendInt(append(dst, `","amount":`...), o.rng.Int64N(1000), 10)
	cents := o.rng.IntN(100)
	dst = append(dst, '.', byte('0'+cents/10), byte('0'+cents%10))
	dst = append(append(dst, `,"type":"`...), eventTypes[o.rng.IntN(len(eventTypes))]...)
	return append(dst, '"', '}', '\n')
}

// Stations makes lines of the One Billion Row Challenge: a weather station out of 413 and a temperature with one decimal.
type Stations struct {
	rng   *rand.Rand
	names []string
	means []float64
}

// numStations is the size of the challenge's default set of stations.
const numStations = 413

// NewStations returns measurements without end.
func NewStations(seed uint64) *Stations {
	s := &Stations{rng: rand.New(rand.NewPCG(seed, 5))}
	vocabulary := NewWords(seed, numStations, 1, 0)
	for _, w := range vocabulary.words {
		s.names = append(s.names, "St. "+string(w))
		s.means = append(s.means, s.rng.Float64()*40-10)
	}
	return s
}

// Append appends a measurement.
func (s *Stations) Append(dst []byte) []byte {
	i := s.rng.IntN(len(s.names))
	tenths := int64((s.means[i] + s.rng.NormFloat64()*10) * 10)
	dst = append(append(dst, s.names[i]...), ';')
	if tenths < 0 {
		dst = append(dst, '-')
		tenths = -tenths
	}
	dst = append(strconv.AppendInt(dst, tenths/10, 10), '.', byte('0'+tenths%10))
	return append(dst, '\n')
}

// Trades makes CSV lines of about 57 bytes: a number, a time with microseconds, a key out of 10,000 and a price with two decimals.
type Trades struct {
	rng *rand.Rand
	n   int64
}

// NewTrades returns trades without end.
func NewTrades(seed uint64) *Trades { return &Trades{rng: rand.New(rand.NewPCG(seed, 6))} }

// Append appends a trade.
func (t *Trades) Append(dst []byte) []byte {
	dst = strconv.AppendInt(dst, 100_000_000+t.n, 10)
	dst = genStart.Add(time.Duration(t.n)*137*time.Microsecond).AppendFormat(append(dst, ','), "2006-01-02T15:04:05.000000Z")
	t.n++
	dst = strconv.AppendInt(append(dst, ",key"...), 10_000+t.rng.Int64N(10_000), 10)
	dst = strconv.AppendInt(append(dst, ','), t.rng.Int64N(100_000), 10)
	cents := t.rng.IntN(100)
	return append(dst, '.', byte('0'+cents/10), byte('0'+cents%10), '\n')
}
