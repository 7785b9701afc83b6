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

// nexmarkWorkloads are queries of Nexmark, at 10,000 events per second of event time: over all events where they read persons and
// auctions, else over bids alone.
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
		Name: "nexmark-q3", About: "auctions of a category joined for ever with sellers of three states, all events", Input: nexmark,
		Script: nexmarkSource + `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id
  WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')`,
		idiomatic: localItems,
	},
	{
		Name: "nexmark-q5", About: "auctions with the most bids per 10 s that slide by 2 s", Input: bids,
		Script: bidSource + `SELECT start, auction, n FROM (
    SELECT *, rank() OVER (PARTITION BY start ORDER BY n DESC) AS place FROM (
      SELECT window.start AS start, auction, count(*) AS n FROM bid GROUP BY window(at, '10 seconds', '2 seconds'), auction))
  WHERE place = 1`,
		idiomatic: hotAuctions,
	},
	{
		Name: "nexmark-q7", About: "bids joined with the highest price per 10 s", Input: bids,
		Script: bidSource + `SELECT b.auction, b.price, b.bidder, b.dateTime, b.extra
  FROM bid b JOIN (SELECT window.end AS ends, max(price) AS price FROM bid GROUP BY window(at, '10 seconds')) m ON b.price = m.price
  WHERE b.at BETWEEN m.ends - INTERVAL '10 seconds' AND m.ends`,
		idiomatic: highestBids,
	},
	{
		Name: "nexmark-q8", About: "persons who sell in the 10 s in which they are new: a join of windows, all events", Input: nexmark,
		Script: nexmarkSource + `SELECT p.id, p.name, p.start
  FROM (SELECT window, window.start AS start, id, name FROM person GROUP BY window(at, '10 seconds'), id, name) p
  JOIN (SELECT window, seller FROM auction GROUP BY window(at, '10 seconds'), seller) a ON p.id = a.seller AND p.window = a.window`,
		idiomatic: newSellers,
	},
	{
		Name: "nexmark-q11", About: "bids per session of a bidder, which a gap of 10 s ends", Input: bids,
		Script: bidSource + `SELECT bidder, count(*) AS n, session_window.start, session_window.end
  FROM bid GROUP BY session_window(at, '10 seconds'), bidder`,
		idiomatic: bidderSessions,
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
