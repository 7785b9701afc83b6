package bench

import (
	"bufio"
	"encoding/json"
	"math"
)

var bids = &Input{Name: "bids.json", Rows: 3_000_000, New: func() Generator { return NewBids(1) }}

const bidSource = `
CREATE SOURCE bid (auction BIGINT, bidder BIGINT, price BIGINT, channel TEXT, url TEXT, dateTime BIGINT, extra TEXT,
    at AS timestamp_millis(dateTime), WATERMARK FOR at AS at - INTERVAL '4 seconds')
  FROM 'INPUT' FORMAT JSON;
CREATE VIEW result AS `

// bid is one as a Go programmer declares it.
type bid struct {
	Auction  int64  `json:"auction"`
	Bidder   int64  `json:"bidder"`
	Price    int64  `json:"price"`
	Channel  string `json:"channel"`
	URL      string `json:"url"`
	DateTime int64  `json:"dateTime"`
	Extra    string `json:"extra"`
}

// nexmarkWorkloads are the queries of Nexmark that need no join, session or table of rows, over bids alone, at 10,000 bids per
// second of event time.
var nexmarkWorkloads = []*Workload{
	{
		Name: "nexmark-q0", About: "bids passed through, 200-B JSON", Input: bids, tallies: true,
		Script:    bidSource + "SELECT auction, bidder, price, dateTime, extra FROM bid",
		idiomatic: bidTally(5, func(b *bid, sums []int64) bool { return addBid(sums, b, b.Price) }),
	},
	{
		Name: "nexmark-q1", About: "prices converted", Input: bids, tallies: true,
		Script: bidSource + "SELECT auction, bidder, 0.908 * price AS price, dateTime, extra FROM bid",
		idiomatic: bidTally(5, func(b *bid, sums []int64) bool {
			return addBid(sums, b, int64(math.Round(0.908*float64(b.Price)*1000)))
		}),
	},
	{
		Name: "nexmark-q2", About: "bids on one auction of 123", Input: bids, tallies: true,
		Script: bidSource + "SELECT auction, price FROM bid WHERE auction % 123 = 0",
		idiomatic: bidTally(2, func(b *bid, sums []int64) bool {
			if b.Auction%123 != 0 {
				return false
			}
			sums[0] += b.Auction
			sums[1] += b.Price
			return true
		}),
	},
	{
		Name: "nexmark-q5", About: "hottest auction per 10 s that slide by 2 s (one, where q5 gives all with the most bids)", Input: bids,
		Script: bidSource + `SELECT window.start AS start, auction, count(*) AS n FROM bid
  GROUP BY window(at, '10 seconds', '2 seconds'), auction ORDER BY n DESC, auction LIMIT 1`,
		idiomatic: hotAuctions,
	},
	{
		Name: "nexmark-q7", About: "highest price per 10 s (q7 without its join back to the bids)", Input: bids,
		Script:    bidSource + "SELECT window.start AS start, max(price) AS price FROM bid GROUP BY window(at, '10 seconds')",
		idiomatic: highestPrices,
	},
	{
		Name: "nexmark-q12", About: "bids per bidder and 10 s of arrival", Input: bids, fold: foldSum,
		Script:    bidSource + "SELECT bidder, count(*) AS n FROM bid GROUP BY window(arrival_time, '10 seconds'), bidder",
		idiomatic: bidsOfBidders,
	},
	{
		Name: "nexmark-q17", About: "count, min, max, sum of prices per auction, never closed (q17 without its day)", Input: bids, fold: foldLast,
		Script: bidSource + `SELECT auction, count(*) AS n, sum(if(price < 10000, 1, 0)) AS cheap, min(price) AS low, max(price) AS high,
  sum(price) AS total FROM bid GROUP BY auction`,
		idiomatic: auctionPrices,
	},
}

func eachBid(in stream, fn func(*bid)) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var b bid
		if err := json.Unmarshal(lines.Bytes(), &b); err != nil {
			return err
		}
		fn(&b)
	}
	return lines.Err()
}

func bidTally(columns int, add func(b *bid, sums []int64) bool) program {
	return func(in stream) (func() Answer, error) {
		var rows int64
		sums := make([]int64, columns)
		err := eachBid(in, func(b *bid) {
			if add(b, sums) {
				rows++
			}
		})
		return func() Answer { return tallyAnswer(rows, sums...) }, err
	}
}

func addBid(sums []int64, b *bid, price int64) bool {
	sums[0] += b.Auction
	sums[1] += b.Bidder
	sums[2] += price
	sums[3] += b.DateTime
	sums[4] += int64(len(b.Extra))
	return true
}

func hotAuctions(in stream) (func() Answer, error) {
	const slide, size = 2000, 10_000
	type group struct{ start, auction int64 }
	counts := make(map[group]int64)
	err := eachBid(in, func(b *bid) {
		for start := b.DateTime / slide * slide; start > b.DateTime-size; start -= slide {
			counts[group{start, b.Auction}]++
		}
	})
	type hot struct{ auction, n int64 }
	best := make(map[int64]hot)
	for g, n := range counts {
		h, ok := best[g.start]
		if !ok || n > h.n || n == h.n && g.auction < h.auction {
			best[g.start] = hot{g.auction, n}
		}
	}
	return func() Answer {
		var a Answer
		for start, h := range best {
			a.add(whole(start*1000) + "|" + whole(h.auction) + "|" + whole(h.n))
		}
		return a
	}, err
}

func highestPrices(in stream) (func() Answer, error) {
	best := make(map[int64]int64)
	err := eachBid(in, func(b *bid) {
		w := b.DateTime / windowMillis
		best[w] = max(best[w], b.Price)
	})
	return func() Answer {
		var a Answer
		for w, price := range best {
			a.add(windowStart(w) + "|" + whole(price))
		}
		return a
	}, err
}

func bidsOfBidders(in stream) (func() Answer, error) {
	counts := make(map[int64]int64)
	err := eachBid(in, func(b *bid) { counts[b.Bidder]++ })
	return func() Answer {
		var a Answer
		for bidder, n := range counts {
			a.add(whole(bidder) + "|" + whole(n))
		}
		return a
	}, err
}

func auctionPrices(in stream) (func() Answer, error) {
	type prices struct{ n, cheap, low, high, total int64 }
	all := make(map[int64]*prices)
	err := eachBid(in, func(b *bid) {
		p := all[b.Auction]
		if p == nil {
			p = &prices{low: b.Price}
			all[b.Auction] = p
		}
		p.n++
		if b.Price < 10_000 {
			p.cheap++
		}
		p.low, p.high = min(p.low, b.Price), max(p.high, b.Price)
		p.total += b.Price
	})
	return func() Answer {
		var a Answer
		for auction, p := range all {
			a.add(whole(auction) + "|" + whole(p.n) + "|" + whole(p.cheap) + "|" + whole(p.low) + "|" + whole(p.high) + "|" + whole(p.total))
		}
		return a
	}, err
}
