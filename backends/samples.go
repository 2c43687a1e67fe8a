package backends

// CheckSamples holds what a Run of r measured against its caller's clock,
// which read before and after around the call: as many samples as steps, each
// inside the call and after the one before, none before its arrival, no split
// longer than the step. The error says which sample can't be true.
func CheckSamples(s Samples, r RunRequest, before, after int64) error {
	if len(s.Steps) != r.Steps {
		return Errorf(Internal, "%d samples of %d steps", len(s.Steps), r.Steps)
	}
	last := before
	for i, x := range s.Steps {
		d, due := x.Split, before
		if r.Arrival != nil {
			due += r.Arrival[i]
		}
		switch {
		case x.Start < before || x.End > after:
			return Errorf(Internal, "sample %d runs from %d to %d ns, the call from %d to %d", i, x.Start, x.End, before, after)
		case x.End < x.Start:
			return Errorf(Internal, "sample %d ends %d ns before it starts", i, x.Start-x.End)
		case x.Start < due:
			return Errorf(Internal, "sample %d starts %d ns before its arrival", i, due-x.Start)
		case x.End < last || (r.Sync && x.Start < last):
			return Errorf(Internal, "sample %d does not follow the one before", i)
		case min(d.Queue, d.HostToDevice, d.Device, d.DeviceToHost, d.Host) < 0:
			return Errorf(Internal, "sample %d has a negative split, %+v", i, d)
		case d.HostToDevice+d.Device+d.DeviceToHost+d.Host > x.End-x.Start:
			return Errorf(Internal, "sample %d took %d ns, its split more: %+v", i, x.End-x.Start, d)
		case r.Arrival != nil && d.Queue > x.Start-due:
			return Errorf(Internal, "sample %d waited %d ns after its arrival, but %d are the most", i, d.Queue, x.Start-due)
		}
		last = x.End
	}
	return nil
}
