package tidemill_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

type order struct {
	ID       int64
	Customer string
	Amount   float64
	At       time.Time
}

// runOrders runs a job over a few orders, all of which come in one interval.
func runOrders(steps func(orders tidemill.Stream[order])) {
	job, err := tidemill.New(tidemill.Config{Stdout: os.Stdout, Interval: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	q, orders := tidemill.QueueStream[order](job, "orders", tidemill.QueueOptions{AllAtOnce: true})
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	q.Push(order{1, "ada", 20, at}, order{2, "bob", 5, at.Add(time.Second)}, order{3, "ada", 7.5, at.Add(time.Minute)})
	q.Done()
	steps(orders)
	if err := job.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	if err := job.Wait(); err != nil {
		fmt.Println(err)
	}
}

func ExampleAs() {
	runOrders(func(orders tidemill.Stream[order]) {
		named := tidemill.Map(orders.Filter(func(o order) bool { return o.Amount > 6 }), func(o order) order {
			o.Customer = strings.ToUpper(o.Customer)
			return o
		})
		named.DStream().GroupBy("customer").Agg("sum(amount) AS total").Print()
	})
	// Output:
	// customer,total
	// ADA,27.5
}

func ExampleReduceByKey() {
	runOrders(func(orders tidemill.Stream[order]) {
		amounts := tidemill.Map(orders, func(o order) tidemill.Pair[string, float64] {
			return tidemill.Pair[string, float64]{Key: o.Customer, Value: o.Amount}
		})
		tidemill.ReduceByKey(amounts, func(a, b float64) float64 { return a + b }).DStream().Print()
	})
	// Output:
	// key,value
	// ada,27.5
	// bob,5.0
}

func ExampleGroupByKey() {
	runOrders(func(orders tidemill.Stream[order]) {
		byCustomer := tidemill.KeyBy(orders, func(o order) string { return o.Customer })
		type last struct {
			Customer string
			ID       int64
		}
		tidemill.GroupByKey(byCustomer, func(customer string, all []order, emit func(last)) {
			emit(last{customer, all[len(all)-1].ID})
		}).DStream().Print()
	})
	// Output:
	// customer,id
	// ada,3
	// bob,2
}

func ExampleLeftOuterJoin() {
	runOrders(func(orders tidemill.Stream[order]) {
		ids := tidemill.Map(orders, func(o order) tidemill.Pair[string, int64] {
			return tidemill.Pair[string, int64]{Key: o.Customer, Value: o.ID}
		})
		big := tidemill.Map(orders.Filter(func(o order) bool { return o.Amount > 10 }), func(o order) tidemill.Pair[string, float64] {
			return tidemill.Pair[string, float64]{Key: o.Customer, Value: o.Amount}
		})
		tidemill.LeftOuterJoin(ids, big).DStream().Print()
	})
	// Output:
	// key,value_left,value_right
	// ada,1,20.0
	// ada,3,20.0
	// bob,2,
}

func ExampleTransform() {
	runOrders(func(orders tidemill.Stream[order]) {
		discounts := map[string]float64{"bob": 0.5} // may change between intervals
		tidemill.Transform(orders, func(_ batch.Interval, rows []order, emit func(order)) error {
			for _, o := range rows {
				o.Amount *= 1 - discounts[o.Customer]
				emit(o)
			}
			return nil
		}).DStream().Select("id", "amount").Print()
	})
	// Output:
	// id,amount
	// 1,20.0
	// 2,2.5
	// 3,7.5
}

func ExampleReduceByKeyAndWindow() {
	runOrders(func(orders tidemill.Stream[order]) {
		tidemill.ReduceByKeyAndWindow(tidemill.KeyBy(tidemill.Map(orders, func(o order) int64 { return o.ID }), func(id int64) bool { return id%2 == 1 }),
			tidemill.WindowReduce[bool, int64]{
				Size: 3 * time.Hour, Slide: time.Hour,
				Reduce:  func(a, b int64) int64 { return a + b },
				Inverse: func(window, leaving int64) int64 { return window - leaving },
				Keep:    func(_ bool, sum int64) bool { return sum != 0 },
			}).DStream().Select("key AS odd", "value AS ids").Print()
	})
	// Output:
	// odd,ids
	// true,4
	// false,2
}

func ExampleStream_ForeachBatch() {
	runOrders(func(orders tidemill.Stream[order]) {
		orders.ForeachBatch("total", func(_ context.Context, _ batch.Interval, rows []order) error {
			total := 0.0
			for _, o := range rows {
				total += o.Amount
			}
			fmt.Println(len(rows), "orders,", total)
			return nil
		})
	})
	// Output:
	// 3 orders, 32.5
}

// firstOrders tells of customers that have not come again within half a minute.
type firstOrders struct {
	count *tidemill.ValueState[int64]
}

func newFirstOrders(ks *tidemill.KeyedState) tidemill.Processor[string, order, string] {
	return &firstOrders{count: tidemill.NewValueState[int64](ks, "count", tidemill.TTL{})}
}

func (f *firstOrders) Row(c *tidemill.Call[string, string], o order) {
	n, _ := f.count.Get()
	f.count.Set(n + 1)
	c.SetTimer(tidemill.EventTime, o.At.Add(30*time.Second))
}

func (f *firstOrders) Timer(c *tidemill.Call[string, string], _ tidemill.TimeKind, at time.Time) {
	n, _ := f.count.Get()
	c.Emit(fmt.Sprintf("%s %s: %d so far", at.Format(time.TimeOnly), c.Key(), n))
}

func ExampleProcess() {
	runOrders(func(orders tidemill.Stream[order]) {
		tidemill.Process(orders, tidemill.ProcessSpec[string, order, string]{
			Key: func(o order) string { return o.Customer }, EventTime: func(o order) time.Time { return o.At }, New: newFirstOrders,
		}).DStream().Print()
	})
	// Output:
	// value
	// 09:00:30 ada: 1 so far
	// 09:00:31 bob: 1 so far
	// 09:01:30 ada: 2 so far
}
