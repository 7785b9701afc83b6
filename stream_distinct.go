package tidemill

import (
	"fmt"
	"strings"
	"time"
)

// DropDuplicates keeps the first of the rows with equal values of columns, which are expressions; without any, of all columns.
// NULL equals NULL. Of rows of several splits the first one to come is kept. Where one of the columns has a watermark, rows
// before it are late, and values are forgotten once the watermark has passed them; otherwise they are kept for ever.
func (s DStream) DropDuplicates(columns ...string) DStream {
	if len(columns) == 0 {
		return s.distinct("DISTINCT")
	}
	return s.distinct("DISTINCT ON (" + strings.Join(columns, ", ") + ")")
}

// DropDuplicatesWithinWatermark keeps the first of the rows with equal values of columns, and forgets them: a row whose time is
// later than that of the first one by more than the delay of the watermark is a first one again.
func (s DStream) DropDuplicatesWithinWatermark(columns ...string) DStream {
	return s.distinct("DISTINCT ON (" + strings.Join(columns, ", ") + ") WITHIN WATERMARK")
}

// DropDuplicatesWithin is DropDuplicatesWithinWatermark with another time than the delay of the watermark. The time of rows may
// be arrival_time, where there is no watermark.
func (s DStream) DropDuplicatesWithin(age time.Duration, columns ...string) DStream {
	return s.distinct(fmt.Sprintf("DISTINCT ON (%s) WITHIN INTERVAL '%d microseconds'", strings.Join(columns, ", "), age.Microseconds()))
}

func (s DStream) distinct(words string) DStream {
	s = s.view()
	s.query.distinct = words + " "
	return s.view()
}
