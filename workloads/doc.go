// Package workloads holds the networks that are measured, how each is trained,
// and the loops that train and evaluate one over any backend's session.
//
// A network is written once, in layers, and becomes three programs: inference
// (parameters frozen into constants), evaluation (parameters as state, shared
// with training) and training (loss, gradients and optimizer). All three take
// images as the feed FeedImage, u8 N×H×W×C, and standardise them themselves.
// Workload.In gives the network whose programs compute in 16-bit floats where
// PyTorch's autocast would.
package workloads
