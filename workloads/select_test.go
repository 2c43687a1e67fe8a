package workloads

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSelect(t *testing.T) {
	names := func(list string) (out []string) {
		sel, err := Select(list)
		require.NoError(t, err, list)
		for _, s := range sel {
			for _, w := range s.Of {
				out = append(out, w.String())
			}
		}
		return out
	}
	var every []string
	for _, w := range All() {
		every = append(every, w.Name)
	}
	require.Equal(t, every, names("all"))
	require.Equal(t, []string{"resnet20", "lenet5;activation=tanh;pool=max", "alexnet"}, names("resnet20,lenet5;activation=tanh,pool=max,alexnet"))
	require.Equal(t, []string{"lenet5;activation=tanh;pool=max"}, names("lenet5,activation=tanh,pool=max"))
	require.Equal(t, []string{"vit-micro", "vit-tiny", "vit-s16", "vit-b16", "lenet5"}, names("vit,lenet"))
	for _, c := range []struct {
		list  string
		group bool
	}{{"all", true}, {"resnet", true}, {"lenet", true}, {"alexnet", false}, {"resnet50", false}} {
		sel, err := Select(c.list)
		require.NoError(t, err)
		require.Equal(t, c.group, sel[0].Group, c.list)
	}
	for list, say := range map[string]string{"resnet51": "families are all, lenet", "all;pool=max": "not known", "": "no name", "lenet5,": "no name", "lenet5;pool=min": "want one of"} {
		_, err := Select(list)
		require.ErrorContains(t, err, say, list)
	}
}
