// Package results holds what a run found: the versioned document (clsbench.result/v1), its JSON Schema and validator,
// the names of cells, the journal that a run writes as it goes, the store of finished documents, the comparison of two
// of them, and the tables that show them.
//
// A document is written whole or not at all and never overwritten. Failures stay in it as rows with a status. Units
// are in the keys: _ms are milliseconds, _us microseconds, _bytes bytes; shares and accuracies are fractions of 1.
package results
