package batch_test

import (
	"errors"
	"math"
	"testing"

	"github.com/tidemill/tidemill/batch"
)

func TestTextBeyondTheLimitIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name string
		grow func(c *batch.Column)
	}{
		{name: "room for one row", grow: func(c *batch.Column) { c.TextBuffer(math.MaxInt32) }},
		{name: "room for several rows", grow: func(c *batch.Column) { c.ReserveText(2, math.MaxInt32) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := batch.NewPool(0)
			c := batch.NewColumn(pool, batch.Text)
			c.AppendString("there already")
			err := func() (err error) {
				defer batch.RecoverTextLimit(&err)
				tt.grow(c)
				return nil
			}()
			if !errors.Is(err, batch.ErrTextLimit) {
				t.Errorf("got %v, want %v", err, batch.ErrTextLimit)
			}
			c.Release()
			if pool.Used() != 0 {
				t.Errorf("%d bytes leaked", pool.Used())
			}
		})
	}
}

func TestOtherPanicsGoOn(t *testing.T) {
	defer func() {
		if cause := recover(); cause != "other" {
			t.Errorf("got %v", cause)
		}
	}()
	var err error
	defer batch.RecoverTextLimit(&err)
	panic("other")
}
