package decimal_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/tidemill/tidemill/batch/decimal"
)

func pow10(n int32) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// divided returns a/b, half rounded away from zero.
func divided(a, b *big.Int) *big.Int {
	twice := new(big.Int).Mul(a, big.NewInt(2))
	if a.Sign()*b.Sign() < 0 {
		twice.Sub(twice, b)
	} else {
		twice.Add(twice, b)
	}
	return twice.Quo(twice, new(big.Int).Mul(b, big.NewInt(2)))
}

// rescaled returns v of one scale in another.
func rescaled(v *big.Int, from, to int32) *big.Int {
	if to >= from {
		return new(big.Int).Mul(v, pow10(to-from))
	}
	return divided(v, pow10(from-to))
}

func TestArithmeticAgreesWithBig(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	check := func(what string, got decimal.Num, ok bool, want *big.Int, precision int32, values ...any) {
		t.Helper()
		fits := new(big.Int).Abs(want).Cmp(pow10(precision)) < 0
		if fits != ok || ok && got.BigInt().Cmp(want) != 0 {
			t.Fatalf("%s of %v: want %s, which fits: %v, got %s, %v", what, values, want, fits, got.BigInt(), ok)
		}
	}
	for range 50_000 {
		a, b := randomNum(r), randomNum(r)
		x, y := a.BigInt(), b.BigInt()
		as, bs := int32(r.IntN(39)), int32(r.IntN(39))
		typ := decimal.Type{Precision: int32(1 + r.IntN(38))}

		s := max(as, bs)
		typ.Scale = int32(r.IntN(int(s) + 1))
		sum := new(big.Int).Add(rescaled(x, as, s), rescaled(y, bs, s))
		got, ok := decimal.Add(a, b, as, bs, typ)
		check("sum", got, ok, rescaled(sum, s, typ.Scale), typ.Precision, x, y, as, bs, typ)
		difference := new(big.Int).Sub(rescaled(x, as, s), rescaled(y, bs, s))
		got, ok = decimal.Subtract(a, b, as, bs, typ)
		check("difference", got, ok, rescaled(difference, s, typ.Scale), typ.Precision, x, y, as, bs, typ)

		typ.Scale = int32(r.IntN(int(as+bs) + 1))
		got, ok = decimal.Multiply(a, b, as, bs, typ)
		check("product", got, ok, rescaled(new(big.Int).Mul(x, y), as+bs, typ.Scale), typ.Precision, x, y, as, bs, typ)

		typ.Scale = int32(r.IntN(39))
		got, ok = decimal.Rescale(a, as, typ)
		check("rescaled", got, ok, rescaled(x, as, typ.Scale), typ.Precision, x, as, typ)

		if y.Sign() == 0 {
			continue
		}
		got = decimal.Remainder(a, b, as, bs)
		check("remainder", got, true, new(big.Int).Rem(rescaled(x, as, s), rescaled(y, bs, s)), 39, x, y, as, bs)
		quotient := new(big.Int).Quo(rescaled(x, as, s), rescaled(y, bs, s))
		if v, ok := decimal.Quotient(a, b, as, bs); ok != quotient.IsInt64() || ok && v != quotient.Int64() {
			t.Fatalf("quotient of %s and %s of scales %d and %d: want %s, got %d, %v", x, y, as, bs, quotient, v, ok)
		}
		if typ.Scale = max(0, as-bs) + int32(r.IntN(7)); typ.Scale > 38 {
			continue
		}
		got, ok = decimal.Divide(a, b, as, bs, typ)
		check("division", got, ok, divided(new(big.Int).Mul(x, pow10(typ.Scale-as+bs)), y), typ.Precision, x, y, as, bs, typ)
	}
}

func TestDoubleIsTheNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		v, scale := randomNum(r), int32(r.IntN(39))
		want, _ := new(big.Rat).SetFrac(v.BigInt(), pow10(scale)).Float64()
		if got := decimal.Double(v, scale); got != want {
			t.Fatalf("%s of scale %d: want %v, got %v", v.BigInt(), scale, want, got)
		}
	}
}

func TestRound(t *testing.T) {
	for _, tt := range []struct {
		text          string
		scale, digits int32
		want          [4]string // by mode: half up, half even, floor, ceil
	}{
		{"2.345", 3, 2, [4]string{"2.35", "2.34", "2.34", "2.35"}},
		{"-2.345", 3, 2, [4]string{"-2.35", "-2.34", "-2.35", "-2.34"}},
		{"2.3451", 4, 2, [4]string{"2.35", "2.35", "2.34", "2.35"}},
		{"2.5", 1, 0, [4]string{"3", "2", "2", "3"}},
		{"-0.4", 1, 0, [4]string{"0", "0", "-1", "0"}},
		{"7", 0, 2, [4]string{"7.00", "7.00", "7.00", "7.00"}},
		{"155.5", 1, -1, [4]string{"160", "160", "150", "160"}},
		{"5", 0, -1, [4]string{"10", "0", "0", "10"}},
		{"5", 0, -2, [4]string{"0", "0", "0", "100"}},
		{"0.01", 2, -38, [4]string{"0", "0", "0", "no"}},
		{"99.5", 1, 0, [4]string{"100", "100", "99", "100"}},
	} {
		v, fault := decimal.Parse([]byte(tt.text), 38, tt.scale)
		if fault != decimal.Fine {
			t.Fatal(tt.text)
		}
		for mode, want := range tt.want {
			got, ok := decimal.Round(v, tt.scale, tt.digits, decimal.Mode(mode), decimal.Type{Precision: 38, Scale: max(0, tt.digits)})
			text := "no"
			if ok {
				text = string(decimal.Append(nil, got, max(0, tt.digits)))
			}
			if text != want {
				t.Errorf("%s to %d digits, mode %d: want %s, got %s", tt.text, tt.digits, mode, want, text)
			}
		}
	}
}
