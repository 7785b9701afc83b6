package decimal_test

import (
	"math/big"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidemill/tidemill/batch/decimal"
)

func fromBig(v *big.Int) decimal.Num { return decimal128.FromBigInt(v) }
