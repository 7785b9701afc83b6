package expr

// A run is a stretch of the text of a column that holds the values of several rows, often with nothing between, so that all of
// them can be searched at once.

const (
	// maxRun is how many bytes a run has at most, unless it is a single row: with the mask and the places that are found, and what
	// is written, half of the 32 KiB that first-level caches have at least.
	maxRun = 8 << 10
	// maxGap is how many bytes of rows that are not wanted a run may have between two that are: it takes less time to search them
	// than to begin a run.
	maxGap = 256
)

// textRuns cuts rows into runs. pad is memory for the last run of a buffer, where nothing can be read behind it.
type textRuns struct{ pad []byte }

// next returns how many of the first rows are a run, and its text from start on in a, with maskSlack readable bytes behind. A row
// of more than maxRun bytes is a run of its own, and its text nil.
func (r *textRuns) next(a *operand, rows []int32) (n, start int, text []byte) {
	first := a.offsets[rows[0]]
	end := a.offsets[rows[0]+1]
	n = 1
	for _, i := range rows[1:] {
		from, to := a.offsets[i], a.offsets[i+1]
		if to-first > maxRun || from-end > maxGap {
			break
		}
		end = to
		n++
	}
	start = int(first)
	text = a.text[first:end]
	switch {
	case len(text) > maxRun:
		text = nil
	case cap(text)-len(text) >= maskSlack:
		text = text[:len(text)+maskSlack]
	default:
		if r.pad == nil {
			r.pad = make([]byte, maxRun+maskSlack)
		}
		copy(r.pad, text)
		text = r.pad[:len(text)+maskSlack]
	}
	return n, start, text
}
