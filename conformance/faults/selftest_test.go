package faults

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/conformance"
)

func TestSelfTest(t *testing.T) {
	m, err := SelfTest(context.Background(), Config{Seed: 11, Effort: conformance.Smoke})
	require.NoError(t, err)
	fmt.Print(m)
	fmt.Println(m.Seconds)
	require.NoError(t, m.OK())
}
