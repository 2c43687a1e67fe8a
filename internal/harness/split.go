package harness

import (
	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/results"
)

// splits collects where the steps' time went, ns.
type splits struct{ queue, h2d, device, d2h, host []float64 }

func (s *splits) add(list []backends.Split) {
	for _, x := range list {
		s.queue = append(s.queue, float64(x.Queue))
		s.h2d = append(s.h2d, float64(x.HostToDevice))
		s.device = append(s.device, float64(x.Device))
		s.d2h = append(s.d2h, float64(x.DeviceToHost))
		s.host = append(s.host, float64(x.Host))
	}
}

// median is the median of each part, ms.
func (s *splits) median() *results.TimeSplit {
	return &results.TimeSplit{
		Queue: medianOf(s.queue) / 1e6, H2D: medianOf(s.h2d) / 1e6, Device: medianOf(s.device) / 1e6,
		D2H: medianOf(s.d2h) / 1e6, Host: medianOf(s.host) / 1e6,
	}
}
