package expr

import (
	"math"
	"time"

	"github.com/tidemill/tidemill/batch"
)

// resolveTimes returns the call of an operator with a DATE, TIMESTAMP or INTERVAL, nil if it has none or takes no such types.
func resolveTimes(name string, a, b *Spec) *Spec {
	x, y := classOf(a.Type), classOf(b.Type)
	isTime := func(c class) bool { return c == dateClass || c == timeClass }
	switch {
	case name == "+" && isTime(y) && !isTime(x):
		if s := resolveTimes(name, b, a); s != nil {
			return s
		}
	case isTime(x) && y == nullClass:
		if name == "+" || name == "-" && x == dateClass {
			return call(name, a.Type, a, null(batch.DayTime))
		}
		return resolveTimes(name, a, null(batch.Timestamp))
	case name == "-" && isTime(y) && (isTime(x) || x == textClass || x == nullClass), name == "-" && x == timeClass && y == textClass:
		if x == dateClass && y == dateClass {
			return call(name, batch.DayTime, a, b)
		}
		return call(name, batch.DayTime, convert(a, batch.Timestamp), convert(b, batch.Timestamp))
	case name != "+" && name != "-":
		return resolveIntervalProduct(name, a, b)
	case isTime(x) && y.isInterval():
		if x == dateClass && y == dayTimeClass && !isWholeDays(b) {
			a = convert(a, batch.Timestamp)
		}
		return call(name, a.Type, a, b)
	case x == dateClass && y == intClass && b.Type != batch.BigInt:
		return call(name, batch.Date, a, b)
	case x.isInterval() && (x == y || y == nullClass):
		return call(name, a.Type, a, convert(b, a.Type))
	case x == nullClass && y.isInterval():
		return call(name, b.Type, convert(a, b.Type), b)
	}
	return nil
}

// isWholeDays says whether s is a constant INTERVAL of days. With Spark, a DATE moved by INTERVAL DAY is a DATE.
func isWholeDays(s *Spec) bool {
	d, ok := s.Value.(time.Duration)
	return s.isNull() || s.Kind == LiteralKind && ok && d%(24*time.Hour) == 0
}

// resolveIntervalProduct returns the call of * or / of an INTERVAL and a number, or of DIV of two.
func resolveIntervalProduct(name string, a, b *Spec) *Spec {
	x, y := classOf(a.Type), classOf(b.Type)
	switch {
	case name == "*" && y.isInterval() && !x.isInterval():
		return resolveIntervalProduct(name, b, a)
	case name == "div" && x.isInterval() && x == y:
		return call(name, batch.BigInt, a, b)
	case (name == "*" || name == "/") && x.isInterval() && (y.isNumber() || y == textClass || y == nullClass):
		t := batch.Double
		if y == intClass {
			t = batch.BigInt
		}
		return call(name, a.Type, a, convert(b, t))
	}
	return nil
}

// timeRun returns the kernel of a call that resolveTimes made, nil for others.
func timeRun(s *Spec) func(*kernel) {
	if len(s.Args) != 2 {
		return nil
	}
	x, y := classOf(s.Args[0].Type), classOf(s.Args[1].Type)
	sign := int64(1)
	if s.Func == "-" {
		sign = -1
	}
	switch {
	case x == dateClass && y == intClass:
		return narrowed(shiftBy(sign, 1), batch.Date)
	case x == dateClass && y == dayTimeClass:
		return narrowed(shiftBy(sign, usPerDay), batch.Date)
	case x == dateClass && y == yearMonthClass:
		return narrowed(shiftMonths(sign, 1), batch.Date)
	case x == timeClass && y == yearMonthClass:
		return shiftMonths(sign, usPerDay)
	case x == timeClass && y == dayTimeClass:
		return shiftTimes(sign, typeName(s.Type))
	case x == dateClass && y == dateClass:
		return subtractDates
	case x == timeClass && y == timeClass:
		return shiftTimes(sign, typeName(s.Type))
	case x.isInterval() && x == y && s.Func == "div":
		return divBigInts
	case x.isInterval() && x == y:
		return narrowed(shiftTimes(sign, typeName(s.Type)), s.Type)
	case x.isInterval() && s.Func == "*" && y == intClass:
		return narrowed(multiplyBigInts, s.Type)
	case x.isInterval() && y == intClass:
		return narrowed(divideIntervals, s.Type)
	case x.isInterval() && y == doubleClass:
		return narrowed(scaleIntervals(s.Func == "/", typeName(s.Type)), s.Type)
	}
	return nil
}

// shiftTimes adds b, times sign, to a, in the units of both.
func shiftTimes(sign int64, name string) func(*kernel) {
	return func(c *kernel) {
		out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
		for _, i := range c.rows {
			us := sign * b[i]
			moved := a[i] + us
			if (a[i]^moved)&(us^moved) < 0 || us == math.MinInt64 {
				c.fail(i, "%s overflow: %d µs and %d µs", name, a[i], b[i])
				continue
			}
			out[i] = moved
		}
	}
}

// shiftBy adds b/unit, times sign, to a. What it can't add is out of the range of a DATE.
func shiftBy(sign, unit int64) func(*kernel) {
	return func(c *kernel) {
		out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
		for _, i := range c.rows {
			out[i] = a[i] + sign*(b[i]/unit) // units of days are far from overflow
		}
	}
}

// shiftMonths adds months b, times sign, to times a of so many units a day. Of a day that the month does not have it takes the last.
func shiftMonths(sign, unit int64) func(*kernel) {
	return func(c *kernel) {
		out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
		for _, i := range c.rows {
			days := floorDiv(a[i], unit)
			year, month, day := batch.CalendarOf(days)
			months := year*12 + month - 1 + sign*b[i]
			year, month = floorDiv(months, 12), floorMod(months, 12)+1
			moved, fits := multiply(batch.DayOf(year, month, min(day, batch.DaysIn(year, month))), unit)
			inDay := a[i] - days*unit
			if !fits || moved > math.MaxInt64-inDay {
				c.fail(i, "TIMESTAMP overflow: %s %+d months", batch.Time(a[i]), sign*b[i])
				continue
			}
			out[i] = moved + inDay
		}
	}
}

func subtractDates(c *kernel) {
	out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
	for _, i := range c.rows {
		us, fits := multiply(a[i]-b[i], usPerDay)
		if !fits {
			c.fail(i, "INTERVAL overflow: %s - %s", batch.AppendDate(nil, a[i]), batch.AppendDate(nil, b[i]))
			continue
		}
		out[i] = us
	}
}

// divideIntervals divides by whole numbers and rounds half away from zero.
func divideIntervals(c *kernel) {
	out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].ints
	for _, i := range c.rows {
		x, y := a[i], b[i]
		switch {
		case y == 0:
			c.fail(i, "division by zero")
			continue
		case x == math.MinInt64 && y == -1:
			c.fail(i, "INTERVAL overflow: %d / %d", x, y)
			continue
		}
		q, rest := x/y, x%y
		if uint64(max(rest, -rest)) >= half(y) {
			q += 1 | (x>>63 ^ y>>63)
		}
		out[i] = q
	}
}

// half returns the half of a magnitude, rounded up.
func half(v int64) uint64 {
	u := uint64(v)
	if v < 0 {
		u = -u
	}
	return u/2 + u%2
}

// scaleIntervals multiplies or divides by a DOUBLE and rounds half away from zero.
func scaleIntervals(divide bool, name string) func(*kernel) {
	return func(c *kernel) {
		out, a, b := c.out.Int64s(), c.args[0].ints, c.args[1].floats
		for _, i := range c.rows {
			v := float64(a[i]) * b[i]
			if divide {
				if b[i] == 0 {
					c.fail(i, "division by zero")
					continue
				}
				v = float64(a[i]) / b[i]
			}
			var fits bool
			if out[i], fits = toBigInt(math.Round(v)); !fits {
				c.fail(i, "%s overflow: %v", name, v)
			}
		}
	}
}
