package operators

// CollideAll makes all keys of tables that are made before restore is called have the same hash.
func CollideAll() (restore func()) {
	old := probeMask
	probeMask = 0
	return func() { probeMask = old }
}
