package conformance

// covering is a covering array of strength two: rows of levels, one a
// parameter, such that any two levels of any two parameters meet in some row.
// Each row begins with the first pair that has not met yet, and takes for every
// other parameter the level that meets most (after Cohen, Dalal, Fredman and
// Patton, "The AETG System", 1997).
func covering(levels ...int) [][]int {
	met := map[[4]int]bool{} // two parameters, the first the lower, and their levels
	key := func(p, i, q, j int) [4]int {
		if p > q {
			p, i, q, j = q, j, p, i
		}
		return [4]int{p, i, q, j}
	}
	var rows [][]int
	add := func(p, i, q, j int) {
		row := make([]int, len(levels))
		set := []int{p, q}
		row[p], row[q] = i, j
		for r, n := range levels {
			if r == p || r == q {
				continue
			}
			best, most := 0, -1
			for k := range n {
				level, gain := (k+len(rows))%n, 0 // equal ones go round
				for _, s := range set {
					if !met[key(r, level, s, row[s])] {
						gain++
					}
				}
				if gain > most {
					best, most = level, gain
				}
			}
			row[r], set = best, append(set, r)
		}
		for a := range levels {
			for b := range a {
				met[key(a, row[a], b, row[b])] = true
			}
		}
		rows = append(rows, row)
	}
	for p := range levels {
		for q := range p {
			for i := range levels[p] {
				for j := range levels[q] {
					if !met[key(p, i, q, j)] {
						add(p, i, q, j)
					}
				}
			}
		}
	}
	return rows
}
