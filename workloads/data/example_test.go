package data_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clsbench/clsbench/workloads/data"
)

// The default set, cut short: only what is asked for is drawn.
func ExampleOpen() {
	set, err := data.Open(context.Background(), "digits/v1", data.Options{TrainLimit: 1000, TestLimit: 200})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Name, set.H, set.W, set.C, len(set.Classes))
	fmt.Println(set.Train.Len(), set.Test.Len(), len(set.Train.Images))
	fmt.Printf("(v/255 - %.3f) / %.3f\n", set.Mean[0], set.Std[0])
	// Output:
	// digits/v1 28 28 1 10
	// 1000 200 784000
	// (v/255 - 0.126) / 0.224
}

// An epoch of training and a pass of evaluation.
func ExampleBatches() {
	set, err := data.Open(context.Background(), "digits/v1", data.Options{TrainLimit: 1000, TestLimit: 200})
	if err != nil {
		fmt.Println(err)
		return
	}
	const size = 64
	images, labels := make([]byte, size*set.H*set.W*set.C), make([]int64, size)

	train, _ := data.Training(set.Train, size, 42)
	train.Shuffle(0)
	for i := range train.Len() {
		train.Fill(i, images, labels)
	}
	fmt.Println(train.Len(), "batches, 40 images left out")

	test, _ := data.Evaluation(set.Test, size)
	for i := range test.Len() {
		valid, _ := test.Fill(i, images, labels) // only an image that must be decoded can fail
		fmt.Print(valid, " ")
	}
	// Output:
	// 15 batches, 40 images left out
	// 64 64 64 8
}

// A folder of MNIST-format files, here one that WriteIDX made, resized to what
// a network takes.
func ExampleWriteIDX() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	small, err := data.Open(context.Background(), "digits/v1", data.Options{TrainLimit: 10, TestLimit: 10})
	if err == nil {
		err = data.WriteIDX(filepath.Join(dir, "small"), small, true)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := data.Open(context.Background(), filepath.Join(dir, "small"), data.Options{Height: 32, Width: 32})
	fmt.Println(set.Name, set.H, set.W, set.Train.Labels, err)

	_, err = data.Open(context.Background(), "imagenet", data.Options{})
	fmt.Println(err)
	// Output:
	// small 32 32 [6 5 0 7 3 1 4 8 2 9] <nil>
	// data set: "imagenet" is neither registered (digits/v1, digits-color/v1, shapes/v1) nor a folder; give one of these names, or a folder of IDX (MNIST) or CIFAR binary files, or of train/CLASS/ and val/CLASS/ with images
}
