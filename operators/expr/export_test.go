package expr

// WithoutVectors makes masks and splits in plain Go until restore is called.
func WithoutVectors() (restore func()) {
	old := hasVectors
	hasVectors = false
	return func() { hasVectors = old }
}
