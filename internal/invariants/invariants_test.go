package invariants_test

import (
	"fmt"
	"testing"

	"github.com/tidemill/tidemill/internal/invariants"
)

func TestFailfPanicsInTestBuildsAndIsAnErrorInOthers(t *testing.T) {
	const want = "bug: window: 3 panes, want 2"
	defer func() {
		if p := recover(); (p != nil) != invariants.Enabled || p != nil && fmt.Sprint(p) != want {
			t.Errorf("panic %v, with invariants enabled: %v", p, invariants.Enabled)
		}
	}()
	if err := invariants.Failf("window: %d panes, want %d", 3, 2); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
