package expr

import "strings"

// Nearest returns the one of names that name was most likely meant to be, for error messages, "" if none is near: the edit
// distance (with neighbours swapped, Damerau 1964), case set apart, is at most a third of the length of name, but 1 for short ones,
// and less than that length.
func Nearest(name string, names []string) string {
	lower := strings.ToLower(name)
	limit := max(1, len(lower)/3)
	nearest, nearestDistance := "", limit+1
	for _, candidate := range names {
		if d := editDistance(lower, strings.ToLower(candidate)); d < nearestDistance && d < len(lower) {
			nearest, nearestDistance = candidate, d
		}
	}
	return nearest
}

// editDistance returns the number of bytes to insert, delete, replace or swap with their neighbour to turn a into b.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
