package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// avroData reads values one behind the other.
type avroData struct{ rest []byte }

func (d *avroData) long() (int64, error) {
	u, n := binary.Uvarint(d.rest)
	if n <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	d.rest = d.rest[n:]
	return int64(u>>1) ^ -int64(u&1), nil
}

func (d *avroData) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(d.rest)) {
		return nil, io.ErrUnexpectedEOF
	}
	v := d.rest[:n]
	d.rest = d.rest[n:]
	return v, nil
}

// bytes reads a value of the kinds avroBytes and avroFixed.
func (d *avroData) bytes(t *avroType) ([]byte, error) {
	n := int64(t.size)
	if t.kind == avroBytes {
		var err error
		if n, err = d.long(); err != nil {
			return nil, err
		}
	}
	return d.take(n)
}

// member returns the member of a union that the value is of.
func (d *avroData) member(t *avroType) (*avroType, error) {
	i, err := d.long()
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= int64(len(t.parts)) {
		return nil, fmt.Errorf("damaged: member %d of a union of %d", i, len(t.parts))
	}
	return t.parts[i], nil
}

// appendTo appends a value to a column of its type.
func (d *avroData) appendTo(c *batch.Column, t *avroType) (err error) {
	if t.kind == avroUnion {
		if t, err = d.member(t); err != nil {
			return err
		}
	}
	switch t.kind {
	case avroNull:
		c.AppendNull()
	case avroBoolean:
		var v []byte
		if v, err = d.take(1); err == nil {
			c.AppendBool(v[0] != 0)
		}
	case avroInt:
		return d.appendInt(c, t)
	case avroFloat:
		var v []byte
		if v, err = d.take(4); err == nil {
			c.AppendFloat64(float64(math.Float32frombits(binary.LittleEndian.Uint32(v))))
		}
	case avroDouble:
		var v []byte
		if v, err = d.take(8); err == nil {
			c.AppendFloat64(math.Float64frombits(binary.LittleEndian.Uint64(v)))
		}
	case avroBytes, avroFixed:
		var v []byte
		if v, err = d.bytes(t); err != nil {
			return err
		}
		if dec, ok := t.column.(*arrow.Decimal128Type); ok {
			return appendAvroDecimal(c, v, dec)
		}
		c.AppendText(v)
	case avroArray:
		if err = d.items(func() error { return d.appendTo(c.Child(), t.items) }); err == nil {
			c.AppendList()
		}
	case avroRecord:
		for i, part := range t.parts {
			if err := d.appendTo(c.Field(i), part); err != nil {
				return fmt.Errorf("field %q: %w", t.names[i], err)
			}
		}
		c.AppendStruct()
	default:
		return fmt.Errorf("a %s has no column", t.text)
	}
	return err
}

func (d *avroData) appendInt(c *batch.Column, t *avroType) error {
	v, err := d.long()
	switch {
	case err != nil:
		return err
	case t.symbols != nil:
		if v < 0 || v >= int64(len(t.symbols)) {
			return fmt.Errorf("damaged: symbol %d of %d", v, len(t.symbols))
		}
		c.AppendString(t.symbols[v])
		return nil
	case t.scale > 1:
		if v > math.MaxInt64/t.scale || v < math.MinInt64/t.scale {
			return fmt.Errorf("time %d is out of the range of TIMESTAMP", v)
		}
		v *= t.scale
	case t.scale < 0: // rounded down
		parts := -t.scale
		down := v / parts
		if v%parts < 0 {
			down--
		}
		v = down
	}
	c.AppendInt64(v)
	return nil
}

// appendAvroDecimal appends a number of two's complement, the highest byte first.
func appendAvroDecimal(c *batch.Column, v []byte, t *arrow.Decimal128Type) error {
	if len(v) > 16 {
		return fmt.Errorf("a decimal of %d bytes", len(v))
	}
	n := new(big.Int).SetBytes(v)
	if len(v) > 0 && v[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v))))
	}
	num := decimal128.FromBigInt(n)
	if !decimal.Fits(num, t.Precision) {
		return fmt.Errorf("%s has more digits than %s", n, batch.TypeName(t))
	}
	c.AppendDecimal(num)
	return nil
}

// items calls one for each item of an array or a map.
func (d *avroData) items(one func() error) error {
	for {
		n, err := d.long()
		if err != nil || n == 0 {
			return err
		}
		if n < 0 { // with the size in bytes
			n = -n
			if _, err := d.long(); err != nil {
				return err
			}
		}
		for ; n > 0; n-- {
			before := len(d.rest)
			if err := one(); err != nil {
				return err
			}
			if len(d.rest) == before && n > maxEmptyItems {
				return fmt.Errorf("damaged: %d items without a byte", n)
			}
		}
	}
}

// maxEmptyItems bounds lists whose items take no bytes.
const maxEmptyItems = 1 << 16

// skip passes over a value.
func (d *avroData) skip(t *avroType, depth int) (err error) {
	if depth > maxAvroDepth {
		return errors.New("its values are nested too deep")
	}
	switch t.kind {
	case avroNull:
	case avroBoolean:
		_, err = d.take(1)
	case avroInt:
		_, err = d.long()
	case avroFloat:
		_, err = d.take(4)
	case avroDouble:
		_, err = d.take(8)
	case avroBytes, avroFixed:
		_, err = d.bytes(t)
	case avroArray:
		err = d.items(func() error { return d.skip(t.items, depth+1) })
	case avroMap:
		err = d.items(func() error {
			if _, err := d.bytes(&avroType{kind: avroBytes}); err != nil {
				return err
			}
			return d.skip(t.items, depth+1)
		})
	case avroRecord:
		for _, part := range t.parts {
			if err = d.skip(part, depth+1); err != nil {
				return err
			}
		}
	case avroUnion:
		var m *avroType
		if m, err = d.member(t); err == nil {
			err = d.skip(m, depth+1)
		}
	}
	return err
}
