package decimal_test

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch/decimal"
)

func TestParse(t *testing.T) {
	nines := strings.Repeat("9", 38)
	for _, tt := range []struct {
		name             string
		text             string
		precision, scale int32
		want             string
		fault            decimal.Fault
	}{
		{name: "whole number gets the zeros of its scale", text: "12", precision: 5, scale: 2, want: "12.00"},
		{name: "sign of a fraction without a whole part", text: "-.5", precision: 5, scale: 2, want: "-0.50"},
		{name: "half is rounded away from zero", text: "1.005", precision: 5, scale: 2, want: "1.01"},
		{name: "negative half is rounded away from zero", text: "-1.005", precision: 5, scale: 2, want: "-1.01"},
		{name: "less than half is rounded to zero", text: "-0.0049", precision: 5, scale: 2, want: "0.00"},
		{name: "exponent moves the point to the right", text: "1.25e2", precision: 5, scale: 1, want: "125.0"},
		{name: "exponent moves the point to the left", text: "125E-3", precision: 5, scale: 2, want: "0.13"},
		{name: "largest value", text: nines, precision: 38, want: nines},
		{name: "smallest value with all digits behind the point", text: "-0." + nines, precision: 38, scale: 38, want: "-0." + nines},
		{name: "one digit too many", text: nines + "0", precision: 38, fault: decimal.OutOfRange},
		{name: "rounding makes one digit too many", text: "99.95", precision: 3, scale: 1, fault: decimal.OutOfRange},
		{name: "huge exponent", text: "1e99999999999999999999", precision: 38, fault: decimal.OutOfRange},
		{name: "huge negative exponent is zero", text: "1e-99999999999999999999", precision: 38, scale: 2, want: "0.00"},
		{name: "zero with a huge exponent is zero", text: "0e999999", precision: 3, scale: 1, want: "0.0"},
		{name: "zeros before the first digit do not count", text: "000000000000000000000000000000000000000000012.5", precision: 3, scale: 1, want: "12.5"},
		{name: "no text", text: "", precision: 3, fault: decimal.NoNumber},
		{name: "a point alone", text: ".", precision: 3, fault: decimal.NoNumber},
		{name: "a sign alone", text: "-", precision: 3, fault: decimal.NoNumber},
		{name: "two points", text: "1.2.3", precision: 3, fault: decimal.NoNumber},
		{name: "exponent without digits", text: "1e", precision: 3, fault: decimal.NoNumber},
		{name: "letters", text: "12a", precision: 3, fault: decimal.NoNumber},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, fault := decimal.Parse([]byte(tt.text), tt.precision, tt.scale)
			if fault != tt.fault {
				t.Fatalf("want fault %d, got %d", tt.fault, fault)
			}
			if fault == decimal.Fine {
				if got := string(decimal.Append(nil, v, tt.scale)); got != tt.want {
					t.Errorf("want %s, got %s", tt.want, got)
				}
			}
		})
	}
}

func TestDigits(t *testing.T) {
	for _, tt := range []struct {
		text             string
		precision, scale int32
		fault            decimal.Fault
	}{
		{text: "1.5", precision: 2, scale: 1},
		{text: "0.05", precision: 2, scale: 2},
		{text: "100.00", precision: 5, scale: 2},
		{text: "1e3", precision: 4},
		{text: "1.5e-3", precision: 4, scale: 4},
		{text: "0", precision: 1},
		{text: "0.00", precision: 2, scale: 2},
		{text: "99999999999999999999999999999999999999", precision: 38},
		{text: "999999999999999999999999999999999999990", fault: decimal.OutOfRange},
		{text: "1e-39", fault: decimal.OutOfRange},
	} {
		p, s, fault := decimal.Digits([]byte(tt.text))
		if p != tt.precision || s != tt.scale || fault != tt.fault {
			t.Errorf("%s: want %d, %d, fault %d, got %d, %d, fault %d", tt.text, tt.precision, tt.scale, tt.fault, p, s, fault)
		}
	}
}

// randomNum returns values of every length, near powers of ten and of two in a third of the cases.
func randomNum(r *rand.Rand) decimal.Num {
	var v big.Int
	switch r.IntN(3) {
	case 0:
		v.Exp(big.NewInt(10), big.NewInt(r.Int64N(39)), nil)
		v.Sub(&v, big.NewInt(r.Int64N(3)))
	case 1:
		v.Lsh(big.NewInt(1), uint(r.IntN(126)))
		v.Add(&v, big.NewInt(r.Int64N(3)-1))
	case 2:
		v.Lsh(new(big.Int).SetUint64(r.Uint64()), uint(r.IntN(63)))
		v.Rsh(&v, uint(r.IntN(100)))
	}
	if r.IntN(2) == 0 {
		v.Neg(&v)
	}
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(decimal.MaxPrecision), nil)
	v.Rem(&v, limit)
	return fromBig(&v)
}

func TestAppendAndParseAgreeWithBig(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		v := randomNum(r)
		scale := int32(r.IntN(39))
		text := decimal.Append(nil, v, scale)
		digits := strings.Replace(string(text), ".", "", 1)
		want, _ := new(big.Int).SetString(digits, 10)
		if want.Cmp(v.BigInt()) != 0 {
			t.Fatalf("want %s, got %s of scale %d", v.BigInt(), text, scale)
		}
		back, fault := decimal.Parse(text, 38, scale)
		if fault != decimal.Fine || back != v {
			t.Fatalf("%s of scale %d: read back as %s, fault %d", text, scale, back.BigInt(), fault)
		}
	}
}
