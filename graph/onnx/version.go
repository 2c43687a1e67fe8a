package onnx

import (
	"fmt"
	"strconv"

	"github.com/clsbench/clsbench/graph"
)

// checkVersion holds the version of the node's op against the table's.
func (r *reader) checkVersion(n *nodeProto) error {
	op := graph.Lookup(n.domain, n.op)
	if op == nil {
		return &graph.UnknownOpError{Domain: n.domain, Op: n.op}
	}
	version, need := r.std, int64(equalSince(op))
	if n.domain == graph.Own {
		need, version = int64(op.Version), 1
		if s, ok := n.meta[keyVersion]; ok {
			v, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return invalid("metadata_props: "+keyVersion, "%q is no number", s)
			}
			version = v
		}
	}
	switch {
	case n.domain == graph.Std && version == 0:
		return invalid("opset_import", "it does not name the standard domain, which the node uses")
	case n.today, n.domain == graph.Std && version >= need, version == need:
		return nil
	}
	return &VersionError{Domain: n.domain, Op: n.op, Version: int(version), Known: int(need)}
}

// VersionError says that a node uses a version of an op that the table lacks.
// It is an UnknownOpError too.
type VersionError struct {
	Domain, Op     string
	Version, Known int
}

func (e *VersionError) Error() string {
	if e.Domain == graph.Std {
		return fmt.Sprintf("%s meant something else at opset %d: known since opset %d", e.Op, e.Version, e.Known)
	}
	return fmt.Sprintf("op %s::%s version %d is not known: version %d is", e.Domain, e.Op, e.Version, e.Known)
}

// Unwrap makes the two ways of not knowing an op one.
func (e *VersionError) Unwrap() error { return &graph.UnknownOpError{Domain: e.Domain, Op: e.Op} }
