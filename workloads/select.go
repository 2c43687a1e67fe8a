package workloads

import (
	"fmt"
	"slices"
	"strings"
)

// AllNetworks names every network.
const AllNetworks = "all"

// family is networks of one kind.
type family struct {
	name    string
	members []*Workload
}

// families are in the order of their papers.
func families() []family {
	return []family{{"lenet", []*Workload{lenet5}}, {"alexnet", []*Workload{alexnet}}, {"resnet", resnets},
		{"mobilenetv3", mobileNets}, {"vit", transformers}}
}

// Families are the names of groups of networks, AllNetworks the first.
func Families() []string {
	list := []string{AllNetworks}
	for _, f := range families() {
		list = append(list, f.name)
	}
	return list
}

// Selection is what one name of a list stands for.
type Selection struct {
	Group bool // a family's name, or that of all: its members were not asked for one by one
	Of    []*Workload
}

// Select reads a list as in "resnet,lenet5;pool=max;activation=tanh": names with
// options as Lookup takes them, families, "all". A comma before an option
// separates options.
func Select(list string) ([]Selection, error) {
	var out []Selection
	for _, spec := range specs(list) {
		if members := group(spec); members != nil {
			out = append(out, Selection{true, members})
			continue
		}
		w, err := Lookup(spec)
		if err != nil {
			if !strings.ContainsAny(spec, "=;") {
				err = fmt.Errorf("%w; families are %s", err, strings.Join(Families(), ", "))
			}
			return nil, err
		}
		out = append(out, Selection{false, []*Workload{w}})
	}
	return out, nil
}

// specs parts a list, each with its options.
func specs(list string) (out []string) {
	for _, part := range strings.Split(list, ",") {
		if strings.Contains(part, "=") && !strings.Contains(part, ";") && len(out) > 0 {
			out[len(out)-1] += ";" + part
			continue
		}
		out = append(out, part)
	}
	return out
}

// group are the networks of a family or all; nil for another name, a single
// network's among them.
func group(name string) (members []*Workload) {
	for _, f := range families() {
		if name != f.name && name != AllNetworks || len(f.members) == 1 && name == f.members[0].Name {
			continue
		}
		for _, w := range f.members {
			members = append(members, w.with(nil))
		}
	}
	return slices.Clip(members)
}
