package bench

// hotAuctions counts for each window that a bid is in, and looks for the most at the end.
func hotAuctions(in stream) (func() Answer, error) {
	const slide, size = 2000, 10_000
	type group struct{ start, auction int64 }
	counts := make(map[group]int64)
	err := eachBid(in, func(b *bid) {
		for start := b.DateTime / slide * slide; start > b.DateTime-size; start -= slide {
			counts[group{start, b.Auction}]++
		}
	})
	most := make(map[int64]int64)
	for g, n := range counts {
		most[g.start] = max(most[g.start], n)
	}
	return func() Answer {
		var a Answer
		for g, n := range counts {
			if n == most[g.start] {
				a.add(whole(g.start*1000) + "|" + whole(g.auction) + "|" + whole(n))
			}
		}
		return a
	}, err
}

// highestBids keeps the bids with the highest price so far of each window. As BETWEEN has both ends, so has a window here: a bid at
// the end of one, which is the start of the next, can be among the highest of both. It does not raise the highest price of the first.
func highestBids(in stream) (func() Answer, error) {
	type highest struct {
		price   int64
		bids    []bid
		atEnd   []bid
		hasBids bool
	}
	windows := make(map[int64]*highest)
	at := func(w int64) *highest {
		if windows[w] == nil {
			windows[w] = &highest{}
		}
		return windows[w]
	}
	err := eachBid(in, func(b *bid) {
		w := b.DateTime / windowMillis
		if b.DateTime%windowMillis == 0 {
			before := at(w - 1)
			before.atEnd = append(before.atEnd, *b)
		}
		switch h := at(w); {
		case !h.hasBids || b.Price > h.price:
			h.hasBids, h.price, h.bids = true, b.Price, append(h.bids[:0], *b)
		case b.Price == h.price:
			h.bids = append(h.bids, *b)
		}
	})
	return func() Answer {
		var a Answer
		add := func(b *bid) {
			a.add(whole(b.Auction) + "|" + whole(b.Price) + "|" + whole(b.Bidder) + "|" + whole(b.DateTime) + "|" + b.Extra)
		}
		for _, h := range windows {
			for i := range h.bids {
				add(&h.bids[i])
			}
			for i := range h.atEnd {
				if h.hasBids && h.atEnd[i].Price == h.price {
					add(&h.atEnd[i])
				}
			}
		}
		return a
	}, err
}

// bidderSessions takes bids in the order in which they come, which is that of their times.
func bidderSessions(in stream) (func() Answer, error) {
	const gap = 10_000
	type session struct{ start, last, n int64 }
	open := make(map[int64]session)
	var closed []string
	end := func(bidder int64, s session) string {
		return whole(bidder) + "|" + whole(s.n) + "|" + whole(s.start*1000) + "|" + whole((s.last+gap)*1000)
	}
	err := eachBid(in, func(b *bid) {
		s, ok := open[b.Bidder]
		if ok && b.DateTime > s.last+gap {
			closed = append(closed, end(b.Bidder, s))
			ok = false
		}
		if !ok {
			s = session{start: b.DateTime}
		}
		s.last = b.DateTime
		s.n++
		open[b.Bidder] = s
	})
	return func() Answer {
		a := answerOf(closed...)
		for bidder, s := range open {
			a.add(end(bidder, s))
		}
		return a
	}, err
}
