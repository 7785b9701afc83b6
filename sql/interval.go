package sql

import "time"

// ParseInterval reads the text of an INTERVAL, such as "1 minute 30 seconds" or "10s", for options that are times.
func ParseInterval(text string) (time.Duration, error) { return parseInterval(text) }
