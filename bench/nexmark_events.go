package bench

import (
	"bufio"
	"encoding/json"
)

var nexmark = &Input{Name: "nexmark.json", Rows: 3_000_000, New: func() Generator { return NewNexmark(1) }}

const nexmarkSource = `
CREATE SOURCE events (event_type BIGINT, id BIGINT, name TEXT, city TEXT, state TEXT, seller BIGINT, category BIGINT, dateTime BIGINT,
    at AS timestamp_millis(dateTime), WATERMARK FOR at AS at - INTERVAL '4 seconds')
  FROM 'INPUT' FORMAT JSON;
CREATE VIEW person AS SELECT id, name, city, state, at FROM events WHERE event_type = 0;
CREATE VIEW auction AS SELECT id, seller, category, at FROM events WHERE event_type = 1;
CREATE VIEW result AS `

// nexmarkEvent is a person or an auction as a Go programmer declares them for one stream.
type nexmarkEvent struct {
	EventType int    `json:"event_type"`
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	City      string `json:"city"`
	State     string `json:"state"`
	Seller    int64  `json:"seller"`
	Category  int64  `json:"category"`
	DateTime  int64  `json:"dateTime"`
}

// The values of event_type.
const (
	personEvent = iota
	auctionEvent
)

func eachEvent(in stream, fn func(*nexmarkEvent)) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var e nexmarkEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return err
		}
		fn(&e)
	}
	return lines.Err()
}

// localItems keeps persons and auctions by person, and meets each new one with what the other map has.
func localItems(in stream) (func() Answer, error) {
	type person struct{ name, city, state string }
	type item struct {
		person

		auction int64
	}
	persons := make(map[int64]person)
	auctions := make(map[int64][]int64)
	var found []item
	err := eachEvent(in, func(e *nexmarkEvent) {
		switch {
		case e.EventType == personEvent && (e.State == "OR" || e.State == "ID" || e.State == "CA"):
			p := person{e.Name, e.City, e.State}
			persons[e.ID] = p
			for _, id := range auctions[e.ID] {
				found = append(found, item{p, id})
			}
		case e.EventType == auctionEvent && e.Category == 10:
			auctions[e.Seller] = append(auctions[e.Seller], e.ID)
			if p, ok := persons[e.Seller]; ok {
				found = append(found, item{p, e.ID})
			}
		}
	})
	return func() Answer {
		var a Answer
		for _, i := range found {
			a.add(i.name + "|" + i.city + "|" + i.state + "|" + whole(i.auction))
		}
		return a
	}, err
}

// newSellers keeps persons and sellers of all windows, and joins them at the end.
func newSellers(in stream) (func() Answer, error) {
	type key struct{ window, person int64 }
	names := make(map[key]string)
	sellers := make(map[key]bool)
	err := eachEvent(in, func(e *nexmarkEvent) {
		switch e.EventType {
		case personEvent:
			names[key{e.DateTime / windowMillis, e.ID}] = e.Name
		case auctionEvent:
			sellers[key{e.DateTime / windowMillis, e.Seller}] = true
		}
	})
	return func() Answer {
		var a Answer
		for k, name := range names {
			if sellers[k] {
				a.add(whole(k.person) + "|" + name + "|" + windowStart(k.window))
			}
		}
		return a
	}, err
}
