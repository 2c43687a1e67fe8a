package main

import "github.com/mmcloughlin/avo/operand"

// emitPause writes the spinning of package pool.
func emitPause(a *asm) {
	a.function("pause", "func(n uint32)",
		"pause tells the processor n times that the thread only waits:",
		"for range n { procyield }")
	n := a.GP32()
	a.Load(a.Param("n"), n)
	a.Label("again")
	a.PAUSE()
	a.SUBL(operand.Imm(1), n)
	a.JNZ(operand.LabelRef("again"))
	a.RET()
}
