package tidemill

import (
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// sieveOf returns what the decoder of a scan may look for before it makes rows, nil if there is nothing: a text that the only
// consumer, a filter, wants in the one column. The filter sees what is left, so that the sieve may let too much pass. Nothing else
// may look at the rows that it leaves out: no watermark, and no computed column.
func sieveOf(n *nodeRun) ingest.Sieve {
	scan := n.Spec.(*operators.ScanSpec)
	if len(n.consumers) != 1 || len(scan.Declared) != 1 || len(scan.Columns) != 1 || len(scan.Computed) > 0 || scan.EventTime >= 0 ||
		scan.Columns[0].Type.ID() != batch.Text.ID() {
		return nil
	}
	filter, ok := n.consumers[0].node.Spec.(*operators.FilterSpec)
	if !ok {
		return nil
	}
	if needle := expr.NewNeedle(filter.Predicate, 0); needle != nil {
		return needle
	}
	return nil
}

// countSifted counts rows of a scan that the decoder left out, as those that the filter behind it dropped.
func (n *nodeRun) countSifted(rows int64) {
	n.rowsIn.Add(rows)
	n.rowsOut.Add(rows)
	n.consumers[0].node.rowsIn.Add(rows)
}
