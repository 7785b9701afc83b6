package bench

import (
	"math"
	"math/rand/v2"
	"strconv"
)

// nexmarkRandom makes the values of Nexmark's events, with the skew of its published generator (nexmark/nexmark, package
// generator.model).
type nexmarkRandom struct{ rng *rand.Rand }

// nexmarkFirstID is the first id of persons and auctions.
const nexmarkFirstID = 1000

// price returns one in cents: 100·10^(6u) for uniform u.
func (r nexmarkRandom) price() int64 { return int64(math.Round(math.Pow(10, 6*r.rng.Float64()) * 100)) }

// person returns the id of one of the newest 1,000 persons, or of the next ten, who are yet to come.
func (r nexmarkRandom) person(last int64) int64 {
	return max(nexmarkFirstID, last-1000) + r.rng.Int64N(1010)
}

func (r nexmarkRandom) letters(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, byte('a'+r.rng.IntN(26)))
	}
	return dst
}

// appendBid appends the fields of a bid at a time in milliseconds. Half of the bids are on the newest auction whose id is a multiple
// of 100, three quarters come from the bidder behind the newest person whose id is one.
func (r nexmarkRandom) appendBid(dst []byte, lastAuction, lastPerson, at int64) []byte {
	auction := lastAuction / 100 * 100
	if r.rng.IntN(2) == 0 {
		auction = max(nexmarkFirstID, lastAuction-100) + r.rng.Int64N(110)
	}
	bidder := lastPerson/100*100 + 1
	if r.rng.IntN(4) == 0 {
		bidder = r.person(lastPerson)
	}
	price := r.price()
	dst = strconv.AppendInt(append(dst, `"auction":`...), auction, 10)
	dst = strconv.AppendInt(append(dst, `,"bidder":`...), bidder, 10)
	dst = strconv.AppendInt(append(dst, `,"price":`...), price, 10)
	dst = append(dst, `,"channel":"`...)
	if r.rng.IntN(2) == 0 {
		dst = append(dst, nexmarkChannels[r.rng.IntN(len(nexmarkChannels))]...)
	} else {
		dst = strconv.AppendInt(append(dst, "channel-"...), r.rng.Int64N(10_000), 10)
	}
	dst = append(dst, `","url":"https://www.nexmark.com/`...)
	dst = append(r.letters(dst, 5), '/')
	dst = append(r.letters(dst, 5), '/')
	dst = append(r.letters(dst, 5), `/item.htm?query=1","dateTime":`...)
	dst = strconv.AppendInt(dst, at, 10)
	dst = append(dst, `,"extra":"`...)
	return append(r.letters(dst, 12+r.rng.IntN(16)), '"')
}

// Bids makes the bids of Nexmark alone, as JSON lines of about 200 bytes. A millisecond has 10 bids.
type Bids struct {
	nexmarkRandom

	n int64
}

// NewBids returns bids without end.
func NewBids(seed uint64) *Bids {
	return &Bids{nexmarkRandom: nexmarkRandom{rand.New(rand.NewPCG(seed, 7))}}
}

// Append appends a bid.
func (b *Bids) Append(dst []byte) []byte {
	lastAuction, lastPerson := nexmarkFirstID+b.n/46*3, nexmarkFirstID+b.n/46
	dst = b.appendBid(append(dst, '{'), lastAuction, lastPerson, genStart.UnixMilli()+b.n/10)
	b.n++
	return append(dst, '}', '\n')
}

// Nexmark makes the events of Nexmark as JSON lines of about 230 bytes: of 50 the first is a person (event_type 0), three are
// auctions (1) and 46 are bids (2). Their fields stand side by side in the object, where Nexmark nests them; those that have the same
// name have the same type. A millisecond has 10 events.
type Nexmark struct {
	nexmarkRandom

	n int64
}

// NewNexmark returns events without end.
func NewNexmark(seed uint64) *Nexmark {
	return &Nexmark{nexmarkRandom: nexmarkRandom{rand.New(rand.NewPCG(seed, 8))}}
}

// What persons and channels are called in Nexmark.
var (
	nexmarkChannels   = [...]string{"Google", "Facebook", "Baidu", "Apple"}
	nexmarkFirstNames = [...]string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"}
	nexmarkLastNames  = [...]string{"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"}
	nexmarkStates     = [...]string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	nexmarkCities     = [...]string{
		"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne",
	}
)

// Append appends an event.
func (e *Nexmark) Append(dst []byte) []byte {
	epoch, place, at := e.n/50, e.n%50, genStart.UnixMilli()+e.n/10
	e.n++
	person := nexmarkFirstID + epoch
	auction := nexmarkFirstID + 3*epoch + place - 1
	switch {
	case place == 0:
		dst = e.appendPerson(append(dst, `{"event_type":0,`...), person, at)
	case place <= 3:
		dst = e.appendAuction(append(dst, `{"event_type":1,`...), auction, person, at)
	default:
		dst = e.appendBid(append(dst, `{"event_type":2,`...), nexmarkFirstID+3*epoch+2, person, at)
	}
	return append(dst, '}', '\n')
}

func (e *Nexmark) appendPerson(dst []byte, id, at int64) []byte {
	first := nexmarkFirstNames[e.rng.IntN(len(nexmarkFirstNames))]
	last := nexmarkLastNames[e.rng.IntN(len(nexmarkLastNames))]
	dst = strconv.AppendInt(append(dst, `"id":`...), id, 10)
	dst = append(append(append(append(dst, `,"name":"`...), first...), ' '), last...)
	dst = append(e.letters(append(dst, `","emailAddress":"`...), 7), '@')
	dst = append(e.letters(dst, 5), `.com","creditCard":"`...)
	for i := range 4 {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendInt(dst, 1000+e.rng.Int64N(9000), 10)
	}
	dst = append(append(dst, `","city":"`...), nexmarkCities[e.rng.IntN(len(nexmarkCities))]...)
	dst = append(append(dst, `","state":"`...), nexmarkStates[e.rng.IntN(len(nexmarkStates))]...)
	dst = strconv.AppendInt(append(dst, `","dateTime":`...), at, 10)
	return append(e.letters(append(dst, `,"extra":"`...), 80+e.rng.IntN(40)), '"')
}

// appendAuction appends an auction. Three quarters are sold by the newest person whose id is a multiple of 100. It ends after up to
// twice the time that 100 auctions take to begin.
func (e *Nexmark) appendAuction(dst []byte, id, lastPerson, at int64) []byte {
	const millisOf100 = 100 * 50 / 3 / 10
	seller := lastPerson / 100 * 100
	if e.rng.IntN(4) == 0 {
		seller = e.person(lastPerson)
	}
	initial := e.price()
	dst = strconv.AppendInt(append(dst, `"id":`...), id, 10)
	dst = e.letters(append(dst, `,"itemName":"`...), 3+e.rng.IntN(18))
	dst = e.letters(append(dst, `","description":"`...), 3+e.rng.IntN(98))
	dst = strconv.AppendInt(append(dst, `","initialBid":`...), initial, 10)
	dst = strconv.AppendInt(append(dst, `,"reserve":`...), initial+e.price(), 10)
	dst = strconv.AppendInt(append(dst, `,"dateTime":`...), at, 10)
	dst = strconv.AppendInt(append(dst, `,"expires":`...), at+1+e.rng.Int64N(2*millisOf100), 10)
	dst = strconv.AppendInt(append(dst, `,"seller":`...), seller, 10)
	dst = strconv.AppendInt(append(dst, `,"category":`...), 10+e.rng.Int64N(5), 10)
	return append(e.letters(append(dst, `,"extra":"`...), 220+e.rng.IntN(160)), '"')
}
