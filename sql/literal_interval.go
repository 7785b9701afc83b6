package sql

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// monthsOf returns how many months a unit of INTERVAL YEAR TO MONTH has, 0 for other units.
func monthsOf(unit string) int64 {
	switch asciiLower(unit) {
	case "month", "months":
		return 1
	case "quarter", "quarters":
		return 3
	case "year", "years":
		return 12
	}
	return 0
}

// intervalValue returns the value of an INTERVAL literal of numbers and units, as in "1 day 2 hours" or "1 year 2 months".
func intervalValue(text string) (any, error) {
	words := strings.Fields(text)
	if len(words) < 2 || monthsOf(words[1]) == 0 {
		return parseInterval(text)
	}
	months := int64(0)
	for k := 0; k < len(words); k += 2 {
		n, err := strconv.ParseInt(words[k], 10, 32)
		if err != nil || k+1 == len(words) {
			return nil, fmt.Errorf("interval: want whole numbers and units, as in '1 year 2 months': got %q", strings.TrimSpace(text))
		}
		unit := monthsOf(words[k+1])
		if unit == 0 {
			return nil, fmt.Errorf("interval: years and months don't go with other units: got %q", strings.TrimSpace(text))
		}
		months += n * unit
	}
	return yearMonth(months)
}

func yearMonth(months int64) (any, error) {
	if months != int64(int32(months)) {
		return nil, errors.New("interval: out of range of YEAR TO MONTH")
	}
	return expr.TypedLiteral(batch.YearMonth, months), nil
}

// rangeUnits are the units of INTERVAL '…' unit TO unit, with the sign that follows each in the text.
var rangeUnits = []struct {
	name   string
	size   int64 // in microseconds, or months
	behind string
}{
	{"YEAR", 12, "-"},
	{"MONTH", 1, ""},
	{"DAY", 86_400_000_000, " "},
	{"HOUR", 3_600_000_000, ":"},
	{"MINUTE", 60_000_000, ":"},
	{"SECOND", 1_000_000, ""},
}

// firstDayTime is the index of the first unit of DAY TO SECOND.
const firstDayTime = 2

// parseRange reads the text of an INTERVAL with two units: "1-2" is YEAR TO MONTH, "1 02:03:04.5" DAY TO SECOND.
func parseRange(text, from, to string) (any, error) {
	index := func(name string) int {
		return slices.IndexFunc(rangeUnits, func(u struct {
			name   string
			size   int64
			behind string
		},
		) bool {
			return u.name == strings.TrimSuffix(name, "S")
		})
	}
	first, last := index(from), index(to)
	if first < 0 || last <= first || (first < firstDayTime) != (last < firstDayTime) {
		return nil, fmt.Errorf("interval: want units from large to small, as in DAY TO SECOND or YEAR TO MONTH: got %s TO %s", from, to)
	}
	fault := fmt.Errorf("interval: %q is no %s TO %s", text, from, to)
	rest := strings.TrimSpace(text)
	rest, negative := strings.CutPrefix(rest, "-")
	sum := int64(0)
	for i := first; i <= last; i++ {
		part := rest
		if i < last {
			var ok bool
			if part, rest, ok = strings.Cut(rest, rangeUnits[i].behind); !ok {
				return nil, fault
			}
		}
		fraction := int64(0)
		if i == len(rangeUnits)-1 {
			whole, decimals, hasPoint := strings.Cut(part, ".")
			if micros, err := strconv.ParseUint((decimals + "000000")[:6], 10, 63); hasPoint && (err != nil || decimals == "") || len(decimals) > 6 {
				return nil, fault
			} else if hasPoint {
				fraction = int64(micros)
			}
			part = whole
		}
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, fault
		}
		if limit := int64(math.MaxInt64 / 1000 / 2); int64(n) > limit/rangeUnits[i].size {
			return nil, fmt.Errorf("interval: out of range: %q", text)
		}
		sum += int64(n)*rangeUnits[i].size + fraction
	}
	if negative {
		sum = -sum
	}
	if first < firstDayTime {
		return yearMonth(sum)
	}
	return time.Duration(sum) * time.Microsecond, nil
}
