package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strconv"
)

var (
	adEvents = &Input{Name: "ysb.json", Rows: 3_000_000, New: func() Generator { return NewAdEvents(1, AdPlain) }}
	orders   = &Input{Name: "orders.json", Rows: 3_000_000, New: func() Generator { return NewOrders(1) }}
)

// windowMillis is the length of the windows of these workloads.
const windowMillis = 10_000

const adColumns = "user_id TEXT, page_id TEXT, ad_id TEXT, ad_type TEXT, event_type TEXT, event_time TEXT, ip_address TEXT"

var eventWorkloads = []*Workload{
	{
		Name:  "ysb",
		About: "Yahoo streaming benchmark, 247-B JSON: views per campaign and 10 s; the campaign is a part of ad_id, not joined",
		Input: adEvents, Script: adScript, loop: adLoop, idiomatic: adIdiomatic,
	},
	{
		Name: "ysb-tcp", About: "the same over loopback TCP", Input: adEvents, TCP: true,
		Script: adScript, loop: adLoop, idiomatic: adIdiomatic,
	},
	{
		Name: "filter75", About: "75-B JSON: a third passes, count and sum per 10 s and 1,000 keys", Input: orders,
		Script: orderScript, loop: orderLoop, idiomatic: orderIdiomatic,
	},
	{
		Name: "filter75-tcp", About: "the same over loopback TCP", Input: orders, TCP: true,
		Script: orderScript, loop: orderLoop, idiomatic: orderIdiomatic,
	},
}

const adScript = `
CREATE SOURCE events (` + adColumns + `,
    at AS timestamp_millis(CAST(event_time AS BIGINT)), WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'INPUT' FORMAT JSON;
CREATE VIEW result AS SELECT window.start AS start, substring(ad_id, 1, 8) AS campaign, count(*) AS n
  FROM events WHERE event_type = 'view' GROUP BY window(at, '10 seconds'), substring(ad_id, 1, 8)`

const orderScript = `
CREATE SOURCE orders (ts BIGINT, user TEXT, amount DOUBLE, type TEXT, at AS timestamp_millis(ts), WATERMARK FOR at AS at - INTERVAL '1 second')
  FROM 'INPUT' FORMAT JSON;
CREATE VIEW result AS SELECT window.start AS start, user, count(*) AS n, sum(amount) AS total
  FROM orders WHERE type = 'view' GROUP BY window(at, '10 seconds'), user`

// adLoop knows where the fields are: names, their order and the lengths of ids never change.
func adLoop(in stream) (func() Answer, error) {
	const (
		adAt   = len(`{"user_id":"`) + 36 + len(`","page_id":"`) + 36 + len(`","ad_id":"`)
		typeAt = adAt + 36 + len(`","ad_type":"`)
	)
	t := newTextTable()
	var key [16]byte
	err := eachBlock(in, func(lines []byte) {
		for len(lines) > 0 {
			event := lines[typeAt+4:]
			event = event[bytes.IndexByte(event, '"')+len(`","event_type":"`):]
			if event[0] == 'v' {
				window := millis(event[len(`view","event_time":"`):]) / windowMillis
				for i := range 8 {
					key[i] = byte(window >> (8 * i))
				}
				copy(key[8:], lines[adAt:adAt+8])
				t.add(key[:], 1)
			}
			lines = event[bytes.IndexByte(event, '\n')+1:]
		}
	})
	return func() Answer {
		var a Answer
		for key, n := range t.counts() {
			var window int64
			for i := range 8 {
				window |= int64(key[i]) << (8 * i)
			}
			a.add(windowStart(window) + "|" + key[8:] + "|" + whole(n))
		}
		return a
	}, err
}

// millis returns the number of 13 digits that text begins with.
func millis(text []byte) (v int64) {
	for _, c := range text[:13] {
		v = v*10 + int64(c-'0')
	}
	return v
}

// windowStart returns the start of a window as it stands in the text of a row.
func windowStart(window int64) string { return whole(window * windowMillis * 1000) }

// adEvent is an event as a Go programmer declares it.
type adEvent struct {
	UserID    string `json:"user_id"`
	PageID    string `json:"page_id"`
	AdID      string `json:"ad_id"`
	AdType    string `json:"ad_type"`
	EventType string `json:"event_type"`
	EventTime string `json:"event_time"`
	IPAddress string `json:"ip_address"`
}

func adIdiomatic(in stream) (func() Answer, error) {
	type group struct {
		window   int64
		campaign string
	}
	counts := make(map[group]int64)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var e adEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, err
		}
		if e.EventType != "view" {
			continue
		}
		at, err := strconv.ParseInt(e.EventTime, 10, 64)
		if err != nil {
			return nil, err
		}
		counts[group{at / windowMillis, e.AdID[:8]}]++
	}
	return func() Answer {
		var a Answer
		for g, n := range counts {
			a.add(windowStart(g.window) + "|" + g.campaign + "|" + whole(n))
		}
		return a
	}, lines.Err()
}

// orderLoop knows where the fields are, and that there are 1,000 customers.
func orderLoop(in stream) (func() Answer, error) {
	const (
		userAt   = len(`{"ts":1234567890123,"user":"customer`)
		amountAt = userAt + len(`1234","amount":`)
	)
	type group struct{ n, cents int64 }
	first := genStart.UnixMilli() / windowMillis
	var windows [][]group // of each window, by customer
	err := eachBlock(in, func(lines []byte) {
		for len(lines) > 0 {
			var cents int64
			i := amountAt
			for ; lines[i] != ','; i++ {
				if lines[i] != '.' {
					cents = cents*10 + int64(lines[i]-'0')
				}
			}
			i += len(`,"type":"`)
			if lines[i] == 'v' {
				w := int(millis(lines[len(`{"ts":`):])/windowMillis - first)
				for len(windows) <= w {
					windows = append(windows, make([]group, 1000))
				}
				user := 0
				for _, c := range lines[userAt+1 : userAt+4] {
					user = user*10 + int(c-'0')
				}
				windows[w][user].n++
				windows[w][user].cents += cents
			}
			lines = lines[i:]
			lines = lines[bytes.IndexByte(lines, '\n')+1:]
		}
	})
	return func() Answer {
		var a Answer
		for w, groups := range windows {
			for user, g := range groups {
				if g.n > 0 {
					a.add(windowStart(first+int64(w)) + "|customer" + strconv.Itoa(1000+user) + "|" + whole(g.n) + "|" + decimal(float64(g.cents)/100))
				}
			}
		}
		return a
	}, err
}

func orderIdiomatic(in stream) (func() Answer, error) {
	type order struct {
		TS     int64   `json:"ts"`
		User   string  `json:"user"`
		Amount float64 `json:"amount"`
		Type   string  `json:"type"`
	}
	type group struct {
		window int64
		user   string
	}
	type sums struct {
		n     int64
		total float64
	}
	groups := make(map[group]*sums)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return nil, err
		}
		if o.Type != "view" {
			continue
		}
		g := group{o.TS / windowMillis, o.User}
		if groups[g] == nil {
			groups[g] = &sums{}
		}
		groups[g].n++
		groups[g].total += o.Amount
	}
	return func() Answer {
		var a Answer
		for g, s := range groups {
			a.add(windowStart(g.window) + "|" + g.user + "|" + whole(s.n) + "|" + decimal(s.total))
		}
		return a
	}, lines.Err()
}
