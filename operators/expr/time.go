package expr

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var oneTimestamp = []arrow.DataType{batch.Timestamp}

var timeFunctions = []function{
	timePart("year", "The year of a time in UTC.", func(us int64) int64 { y, _, _ := civilFromDays(floorDiv(us, usPerDay)); return y }),
	timePart("month", "The month of a time in UTC, from 1.", func(us int64) int64 { _, m, _ := civilFromDays(floorDiv(us, usPerDay)); return m }),
	timePart("day", "The day of the month of a time in UTC, from 1.",
		func(us int64) int64 { _, _, d := civilFromDays(floorDiv(us, usPerDay)); return d }, "dayofmonth"),
	timePart("hour", "The hour of a time in UTC, 0 to 23.", func(us int64) int64 { return floorMod(us, usPerDay) / usPerHour }),
	timePart("minute", "The minute of a time, 0 to 59.", func(us int64) int64 { return floorMod(us, usPerHour) / usPerMinute }),
	timePart("second", "The second of a time without decimals, 0 to 59.", func(us int64) int64 { return floorMod(us, usPerMinute) / usPerSecond }),
	timePart("unix_seconds", "The seconds from 1970-01-01T00:00:00Z to a time, rounded down.", func(us int64) int64 { return floorDiv(us, usPerSecond) }),
	timePart("unix_millis", "The milliseconds from 1970-01-01T00:00:00Z to a time, rounded down.", func(us int64) int64 { return floorDiv(us, 1000) }),
	timePart("unix_micros", "The microseconds from 1970-01-01T00:00:00Z to a time.", func(us int64) int64 { return us }),
	{
		name: "timestamp_seconds", doc: "The time so many seconds after 1970-01-01T00:00:00Z; a row out of range is bad.",
		overloads: []overload{
			{params: oneBigInt, result: batch.Timestamp, run: timeFromBigInt},
			{params: oneDouble, result: batch.Timestamp, run: timestampSeconds},
		},
	},
	{
		name: "timestamp_millis", doc: "The time so many milliseconds after 1970-01-01T00:00:00Z; a row out of range is bad.",
		overloads: []overload{{params: oneBigInt, result: batch.Timestamp, run: timeFromMillis}},
	},
	{
		name: "timestamp_micros", doc: "The time so many microseconds after 1970-01-01T00:00:00Z.",
		overloads: []overload{{params: oneBigInt, result: batch.Timestamp, run: copyBigInts}},
	},
	{
		name: "to_timestamp", doc: "The time that a text says, such as 2026-01-31T12:30:00Z or 2026-01-31; a row with any other text is bad.",
		overloads: []overload{{params: oneText, result: batch.Timestamp, run: timeFromText}},
	},
	{
		name: "date_trunc", doc: "The start of the year, quarter, month, week (from Monday), day, hour, minute, second, … that a time is in, in UTC.",
		overloads: []overload{{params: []arrow.DataType{batch.Text, batch.Timestamp}, result: batch.Timestamp, prepare: prepareTrunc}},
		check: func(args []*Spec) error {
			_, err := truncation(args[0])
			return err
		},
	},
}

// timePart makes an entry of a function from a time to a BIGINT.
func timePart(name, doc string, part func(us int64) int64, aliases ...string) function {
	run := func(c *kernel) {
		out, a := c.out.Int64s(), c.args[0].ints
		for _, i := range c.rows {
			out[i] = part(a[i])
		}
	}
	return function{name: name, aliases: aliases, doc: doc, overloads: []overload{{params: oneTimestamp, result: batch.BigInt, run: run}}}
}

// floorMod returns what floorDiv leaves of a, from 0 to b-1.
func floorMod(a, b int64) int64 {
	r := a % b
	if r < 0 {
		r += b
	}
	return r
}

// timestampSeconds gives NULL for what is not finite.
func timestampSeconds(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].floats
	for _, i := range c.rows {
		if a[i]-a[i] != 0 {
			c.out.SetNull(int(i))
			continue
		}
		us, fits := toBigInt(a[i] * usPerSecond)
		if !fits {
			c.fail(i, "%v s is no TIMESTAMP", a[i])
			continue
		}
		out[i] = us
	}
}

func timeFromMillis(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].ints
	for _, i := range c.rows {
		us, fits := multiply(a[i], 1000)
		if !fits {
			c.fail(i, "%d ms is no TIMESTAMP", a[i])
			continue
		}
		out[i] = us
	}
}

// truncations has the units of date_trunc, under all names of Spark, as functions to the start of the unit.
var truncations = map[string]func(us int64) int64{
	"year": truncYear, "yyyy": truncYear, "yy": truncYear,
	"quarter": truncMonths(3),
	"month":   truncMonths(1), "mon": truncMonths(1), "mm": truncMonths(1),
	"week": truncWeek,
	"day":  truncTo(usPerDay), "dd": truncTo(usPerDay),
	"hour": truncTo(usPerHour), "minute": truncTo(usPerMinute), "second": truncTo(usPerSecond),
	"millisecond": truncTo(1000), "microsecond": truncTo(1),
}

func truncTo(unit int64) func(us int64) int64 {
	return func(us int64) int64 { return us - floorMod(us, unit) }
}

func truncYear(us int64) int64 {
	year, _, _ := civilFromDays(floorDiv(us, usPerDay))
	return daysFromCivil(year, 1, 1) * usPerDay
}

func truncMonths(months int64) func(us int64) int64 {
	return func(us int64) int64 {
		year, month, _ := civilFromDays(floorDiv(us, usPerDay))
		return daysFromCivil(year, month-(month-1)%months, 1) * usPerDay
	}
}

// truncWeek goes back to a Monday. 1970-01-01 was a Thursday, three days after one.
func truncWeek(us int64) int64 {
	days := floorDiv(us, usPerDay)
	return (days - floorMod(days+3, 7)) * usPerDay
}

// truncation returns the function of the unit that s says.
func truncation(s *Spec) (func(us int64) int64, error) {
	unit, isConstant := s.Value.(string)
	if !isConstant {
		if s.isNull() {
			return nil, nil
		}
		return nil, fmt.Errorf("unit must be a constant: %s", s)
	}
	if f := truncations[strings.ToLower(unit)]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("unit must be year, quarter, month, week, day, hour, minute, second, millisecond or microsecond: %q", unit)
}

func prepareTrunc(s *Spec) (func(c *kernel), error) {
	start, err := truncation(s.Args[0])
	if err != nil {
		return nil, err
	}
	return func(c *kernel) {
		out, a := c.out.Int64s(), c.args[1].ints
		for _, i := range c.rows {
			out[i] = start(a[i])
		}
	}, nil
}
