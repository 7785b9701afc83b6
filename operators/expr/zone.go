package expr

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones by name where the machine has no files of them
)

// zone is a time zone: a fixed offset, or a region with rules. The zero value is UTC.
type zone struct {
	offset int64 // in microseconds; of a region it is not used
	region *time.Location
}

// zones has the regions that were asked for, by name: nil for those that do not exist.
var zones sync.Map

// shortZones has the names of three letters that Java's ZoneId.SHORT_IDS has.
var shortZones = map[string]string{
	"ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires", "ART": "Africa/Cairo",
	"AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka", "CAT": "Africa/Harare", "CNT": "America/St_Johns",
	"CST": "America/Chicago", "CTT": "Asia/Shanghai", "EAT": "Africa/Addis_Ababa", "EST": "-05:00",
	"ECT": "Europe/Paris", //nolint:misspell // a name of Java
	"HST": "-10:00", "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "MIT": "Pacific/Apia",
	"MST": "-07:00", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi", "PNT": "America/Phoenix",
	"PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles", "SST": "Pacific/Guadalcanal", "VST": "Asia/Ho_Chi_Minh",
}

// zoneNamed returns the zone that s says: Z, an offset such as +2, +02:00 or -0930, UTC or GMT with or without one, or a region such as
// Europe/Berlin.
func zoneNamed(s []byte) (zone, bool) {
	if len(s) == 1 && s[0] == 'Z' {
		return zone{}, true
	}
	rest := s
	for _, prefix := range [...]string{"UTC", "GMT", "UT"} {
		if strings.HasPrefix(string(s), prefix) {
			if rest = s[len(prefix):]; len(rest) == 0 {
				return zone{}, true
			}
			break
		}
	}
	if rest[0] == '+' || rest[0] == '-' {
		us, ok := parseOffset(rest)
		return zone{offset: us}, ok
	}
	name := string(s)
	if long, isShort := shortZones[name]; isShort {
		if long[0] == '-' {
			return zoneNamed([]byte(long))
		}
		name = long
	}
	known, isKnown := zones.Load(name)
	if !isKnown {
		region, err := time.LoadLocation(name)
		if err != nil || name == "" || name == "Local" {
			region = nil
		}
		known, _ = zones.LoadOrStore(name, region)
	}
	region := known.(*time.Location)
	return zone{region: region}, region != nil
}

// parseOffset reads ±h, ±hh, ±hhmm, ±h:mm, ±hh:m, ±hh:mm, and seconds behind two digits of each, up to 18 hours.
func parseOffset(s []byte) (us int64, ok bool) {
	negative := s[0] == '-'
	s = s[1:]
	hasColons := len(s) > 2 && (s[1] == ':' || s[2] == ':')
	for k, unit := range [...]int64{usPerHour, usPerMinute, usPerSecond} {
		n := 0
		for n < len(s) && n < 2 && isDigit(s[n]) {
			n++
		}
		v := digits(s[:n])
		if n == 0 || v > 59 || n == 1 && (k > 1 || k == 1 && !hasColons || len(s) > 1 && s[1] != ':') {
			return 0, false
		}
		us += v * unit
		if s = s[n:]; len(s) == 0 {
			break
		}
		if hasColons {
			if s[0] != ':' {
				return 0, false
			}
			s = s[1:]
		}
	}
	if len(s) > 0 || us > 18*usPerHour {
		return 0, false
	}
	if negative {
		us = -us
	}
	return us, true
}

// offsetAt returns how far the zone is ahead of UTC at a time, in microseconds.
func (z zone) offsetAt(us int64) int64 {
	if z.region == nil {
		return z.offset
	}
	_, seconds := time.Unix(floorDiv(us, usPerSecond), 0).In(z.region).Zone()
	return int64(seconds) * usPerSecond
}

// toUTC returns when the clocks of the zone show local. Of a time that comes twice it is the first, and one that is skipped is as much
// later as was skipped, as in Java.
func (z zone) toUTC(local int64) int64 {
	if z.region == nil {
		return local - z.offset
	}
	before := z.offsetAt(local - usPerDay)
	first := local - before
	if z.offsetAt(first) == before {
		return first
	}
	after := z.offsetAt(local + usPerDay)
	if second := local - after; z.offsetAt(second) == after {
		return second
	}
	return first
}
