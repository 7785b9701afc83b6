package tidemill

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/tidemill/tidemill/checkpoint"
)

// holdLogEvery is how often a job says that its journal is full: once per status line of a quiet log.
const holdLogEvery = 10 * time.Second

// journalHold makes the sources that are journaled wait while there is no room for what they bring. They wait in their writers,
// without the writers' locks, so that intervals end and are committed meanwhile, which is what makes room.
type journalHold struct {
	mu       sync.Mutex
	wait     chan struct{} // closed when writers should try again; nil while there is room
	isDisk   bool          // the disk is full, not the journal
	isUrgent bool          // a commit is wanted before its time
	lastLog  time.Time
}

// held returns nil while blocks may be journaled, else the channel that a writer waits for.
func (c *committer) held() <-chan struct{} {
	e := c.engine
	h := &c.hold
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wait == nil && e.log.Journal().Bytes() >= e.cfg.JournalBytes {
		h.beginLocked(e, false)
		e.warnHeld(h, "the journal is full: its sources wait for a commit", "bytes", e.log.Journal().Bytes(), "bound", e.cfg.JournalBytes)
	}
	return h.wait
}

// holdForDisk makes sources wait after err, and says whether that is what it calls for.
func (c *committer) holdForDisk(err error) bool {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) && !errors.Is(err, checkpoint.ErrJournalFull) {
		return false
	}
	h := &c.hold
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wait == nil {
		h.beginLocked(c.engine, true)
		c.engine.warnHeld(h, "no room for the journal: its sources wait until there is", "error", err)
	}
	return true
}

func (h *journalHold) beginLocked(e *engine, isDisk bool) {
	h.wait, h.isDisk, h.isUrgent = make(chan struct{}), isDisk, true
	e.log.Journal().Reclaim()
	e.requestCut()
}

func (e *engine) warnHeld(h *journalHold, text string, args ...any) {
	if now := e.cfg.Clock.Now(); h.lastLog.IsZero() || now.Sub(h.lastLog) >= holdLogEvery {
		h.lastLog = now
		e.cfg.Log.Warn(text, args...)
	}
}

// takeUrgent says, once, that a commit should not wait for its time.
func (h *journalHold) takeUrgent() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	urgent := h.isUrgent
	h.isUrgent = false
	return urgent
}

// tryAgain lets writers try the disk again, at the end of an interval.
func (h *journalHold) tryAgain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wait != nil && h.isDisk {
		close(h.wait)
		h.wait = nil
	}
}

// endIfRoom lets writers go on after a commit has made room. If it has not, what came in after its interval was cut fills the
// journal: the next commit is wanted at once.
func (h *journalHold) endIfRoom(e *engine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.wait == nil:
	case h.isDisk || e.log.Journal().Bytes() < e.cfg.JournalBytes:
		close(h.wait)
		h.wait = nil
	default:
		h.isUrgent = true
		e.log.Journal().Reclaim()
		e.requestCut()
	}
}

// trimSplits takes splits that have ended out of a record, once the journal has nothing of them that counts: no restart needs to know
// of a connection that can't come back. The latest of a source stays, for names of new ones to follow. It returns those taken out.
func (c *committer) trimSplits(r *checkpoint.Record) (trimmed []checkpoint.SplitState) {
	sources := make(map[string]*sourceRun)
	for _, s := range c.engine.sources {
		if !s.source.Replayable() {
			sources[s.name] = s
		}
	}
	if len(sources) == 0 {
		return nil
	}
	if c.hasJournal() {
		r.JournalFile = c.engine.log.Journal().Advance(committedOf(r))
	}
	latest := make(map[string]int)
	for i, sp := range r.Splits {
		latest[sp.Source] = i
	}
	var kept []checkpoint.SplitState
	for i, sp := range r.Splits {
		s := sources[sp.Source]
		if s == nil || !sp.Ended || i == latest[sp.Source] || s.isJournaled() && c.engine.log.Journal().Has(sp.Source, sp.Name) {
			kept = append(kept, sp)
		} else {
			trimmed = append(trimmed, sp)
		}
	}
	r.Splits = kept
	return trimmed
}

// forget drops splits that a decided record does not name any more.
func (e *engine) forget(trimmed []checkpoint.SplitState) {
	for _, s := range e.sources {
		s.forget(trimmed)
	}
}
