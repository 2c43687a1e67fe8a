package backends

import (
	"context"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
)

// Fit rewrites a program into one that the session takes: what Check refuses
// is decomposed, again and again. A core op that it refuses is Unimplemented,
// with the backend's reason.
func Fit(ctx context.Context, s Session, p *graph.Program) (*graph.Program, error) {
	for {
		g, err := p.Infer()
		if err != nil {
			return nil, Malformed(err)
		}
		verdicts, err := s.Check(ctx, p)
		if err != nil {
			return nil, err
		}
		if len(verdicts) != len(g.Calls) {
			return nil, Errorf(Internal, "check gave %d verdicts for %d nodes", len(verdicts), len(g.Calls))
		}
		refused := map[string]bool{}
		for i, v := range verdicts {
			c := &g.Calls[i]
			if v.Supported {
				continue
			}
			if c.Op.Decompose == nil {
				return nil, &Error{Code: Unimplemented, Node: c.Name, Op: c.Op.Name, Message: v.Why}
			}
			refused[c.Name] = true
		}
		if len(refused) == 0 {
			return p, nil
		}
		if p, err = pass.Decompose(p, func(c *graph.Call) bool { return !refused[c.Name] }); err != nil {
			return nil, Malformed(err)
		}
	}
}
