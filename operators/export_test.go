package operators

// CollideAll makes all keys of tables that are made before restore is called have the same hash.
func CollideAll() (restore func()) {
	old := probeMask
	probeMask = 0
	return func() { probeMask = old }
}

// HashWord is the fast twin of Hash for nine bytes.
func HashWord(tag byte, v uint64) uint64 { return hashWord(tag, v) }
