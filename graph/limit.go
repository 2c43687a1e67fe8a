package graph

import "fmt"

// LimitError is of a node that ONNX allows and its row does not: an element
// type, a rank, the value of an attribute. What rows refuse with other errors is
// a mistake by ONNX's rules as well.
type LimitError struct{ What string }

func (e *LimitError) Error() string { return e.What }

func limited(format string, args ...any) error { return &LimitError{fmt.Sprintf(format, args...)} }
