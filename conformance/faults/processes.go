package faults

import (
	"context"
	"os"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
)

// Proxies are the backends that SelfTest starts as processes: this binary
// again, so that what a proxy corrupts is the host's own memory, across the
// boundary that every backend stands behind. Main hands them to
// plugin.MaybeServe beside its own.
func Proxies() plugin.Registry {
	r := plugin.Registry{unbentProxy: idleProxy}
	for _, f := range proxyFaults {
		r[f.Name] = f.Backend
	}
	return r
}

// processes are a self-test's subjects that run as plugins of their own.
type processes struct {
	dir     string
	running []*plugin.Plugin
	cpu     string // the build of cpu with its faults, once there is one
}

func newProcesses() (*processes, error) {
	dir, err := os.MkdirTemp("", "cls") // short: sockets are in it
	return &processes{dir: dir}, err
}

// Close ends what runs and removes the folder.
func (p *processes) Close() {
	for _, running := range p.running {
		_ = running.Close() // what is wrong with it was its cases to say
	}
	_ = os.RemoveAll(p.dir) // of temporary files
}

func (p *processes) start(ctx context.Context, s plugin.Spec, o plugin.Options) (backends.Backend, error) {
	o.Dir, o.Registry = p.dir, Proxies()
	b, err := plugin.Open(ctx, s, o)
	if err != nil {
		return nil, err
	}
	p.running = append(p.running, b)
	return b, nil
}

// proxy starts one of Proxies.
func (p *processes) proxy(ctx context.Context, name string) (backends.Backend, error) {
	return p.start(ctx, plugin.Spec{Label: name, Name: name}, plugin.Options{})
}

// armed starts cpu with one fault armed; "" is none.
func (p *processes) armed(ctx context.Context, fault string) (backends.Backend, error) {
	return p.start(ctx, plugin.Spec{Label: "cpu", Name: plugin.Exec, Command: []string{p.cpu, "cpu"}},
		plugin.Options{Env: []string{plantedVariable + "=" + fault}})
}
