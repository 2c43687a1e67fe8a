//go:build !amd64 || purego

package kernel

func fromU8For(ISA) (converter[float32, uint8], int) { return nil, 0 }

func fromF16For(ISA) (converter[float32, uint16], int) { return nil, 0 }

func fromBF16For(ISA) (converter[float32, uint16], int) { return nil, 0 }

func toF16For(ISA) (converter[uint16, float32], int) { return nil, 0 }

func toBF16For(ISA) (converter[uint16, float32], int) { return nil, 0 }
