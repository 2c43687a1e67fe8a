package isa

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesParse(t *testing.T) {
	require.Len(t, Names(), len(All()))
	for _, i := range All() {
		got, err := Parse(i.String())
		require.NoError(t, err)
		require.Equal(t, i, got)
	}
	_, err := Parse("sse9")
	require.EqualError(t, err, `unknown instruction set "sse9": want one of avx512, avx2, generic`)
	require.Equal(t, "isa(9)", ISA(9).String())
}

func TestAvailableIsOrderedAndEndsPortable(t *testing.T) {
	a := Available()
	require.Equal(t, Generic, a[len(a)-1])
	require.Equal(t, a[0], Best())
	for k := 1; k < len(a); k++ {
		require.Less(t, a[k], a[k-1])
	}
	// A set that runs implies those below it.
	if AVX512.Available() {
		require.True(t, AVX2.Available())
	}
}
