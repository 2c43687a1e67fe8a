package workloads_test

import (
	"fmt"

	"github.com/clsbench/clsbench/workloads"
)

func ExampleLookup() {
	w, err := workloads.Lookup("lenet5;activation=tanh")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Description)
	fmt.Printf("%s: input %v, %d classes, %d parameters, %.2f MFLOP an image\n",
		w, w.Input, w.Classes, w.Parameters(), float64(w.FLOPs())/1e6)

	_, err = workloads.Lookup("lenet5;pool=min")
	fmt.Println(err)
	// Output:
	// LeNet-5 (LeCun et al. 1998), two 5×5 convolutions and three linear layers
	// lenet5;activation=tanh: input 28×28×1, 10 classes, 44426 parameters, 0.58 MFLOP an image
	// workload "lenet5;pool=min": pool="min": want one of average, max
}
