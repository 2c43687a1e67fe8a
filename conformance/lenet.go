package conformance

import (
	"fmt"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

// LeNet-5 in every variant, in inference and training: whole, decomposed, and
// op by op; and with integers, exact from end to end.

var lenetVariants = []string{"activation=relu,pool=average", "activation=tanh,pool=max", "activation=relu,pool=max", "activation=tanh,pool=average"}

var imagesStandard = workloads.Standard{Mean: []float64{0.2}, Std: []float64{0.35}}

func networkCases() []*Case {
	var all []*Case
	for i, v := range lenetVariants {
		for _, f := range []form{whole, decomposed, opByOp} {
			e := Quick
			switch {
			case i == 0 && f == whole:
				e = Smoke
			case i > 0 && f != whole:
				e = Standard
			}
			all = append(all, lenetInference(v, 3, f, e), lenetTraining(v, "sgd", 4, f, e))
		}
	}
	return append(all,
		lenetInference(lenetVariants[0], 1, whole, Quick), lenetInference(lenetVariants[0], 33, whole, Standard),
		lenetTraining(lenetVariants[0], "adam", 4, whole, Quick), lenetTraining(lenetVariants[0], "sgd", 64, whole, Standard),
		integerLenet(lenetVariants[0]), integerLenet(lenetVariants[2]))
}

func lenet(variant string) (*workloads.Workload, error) {
	return workloads.Lookup("lenet5;" + strings.ReplaceAll(variant, ",", ";"))
}

func lenetInference(variant string, batch int, f form, e Effort) *Case {
	return &Case{
		Op: "lenet5", DType: tensor.F32, Params: params(variant, fmt.Sprintf("batch=%d", batch)), Class: "inference" + formNames[f],
		Suite: InferenceCore, Effort: e, Required: true, bound: every(programRule), form: f,
		// New weights for each set: a cache that forgets them is seen.
		subject: &networkSubject{varies: true, build: func(d Draw) (*graph.Program, error) {
			w, err := lenet(variant)
			if err != nil {
				return nil, err
			}
			return w.Inference(batch, imagesStandard, w.Init(uint64(d.rng("weights").word())))
		}},
	}
}

func lenetTraining(variant, optimizer string, batch int, f form, e Effort) *Case {
	return &Case{
		Op: "lenet5", DType: tensor.F32, Params: params(variant, optimizer, fmt.Sprintf("batch=%d", batch)), Class: "training" + formNames[f],
		Suite: TrainingCore, Effort: e, Required: true, bound: every(programRule), form: f, steps: 3,
		subject: &networkSubject{build: func(Draw) (*graph.Program, error) {
			w, err := lenet(variant)
			if err != nil {
				return nil, err
			}
			r := w.Recipes[workloads.DefaultRecipe]
			if optimizer == "adam" {
				r.Optimizer = workloads.Optimizer{Kind: "adam", LR: 0.001, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
			}
			return w.Training(batch, imagesStandard, r, true)
		}},
	}
}

// integerLenet has images of bytes, convolutions of -1, 0 and 1, and linear
// layers of one ±1 a row: every partial sum is a multiple of 1/16 below 2²⁰,
// so that any order and any fusion gives the same bits.
func integerLenet(variant string) *Case {
	return &Case{
		Op: "lenet5", DType: tensor.F32, Params: params(variant, "batch=3"), Class: "integer", Suite: InferenceCore, Effort: Quick,
		Required: true, bound: every(exact),
		subject: &networkSubject{varies: true, build: func(d Draw) (*graph.Program, error) {
			w, err := lenet(variant)
			if err != nil {
				return nil, err
			}
			weights := workloads.Weights{}
			for _, p := range w.Params() {
				f := integers(-1, 1)
				switch len(p.Type.Shape) {
				case 1:
					f = integers(-20, 20)
				case 2:
					f = oneHot(rows(p.Type.Shape))
				}
				t := tensor.New(p.Type.DType, p.Type.Shape...)
				t.SetFloat64s(f(d.rng(p.Name), p.Type))
				weights[p.Name] = t
			}
			return w.Inference(3, workloads.Standard{Mean: []float64{0}, Std: []float64{1.0 / 255}}, weights)
		}},
	}
}
