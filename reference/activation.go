package reference

import "math"

// Relu is Y = max(X, 0) (Nair and Hinton, "Rectified Linear Units Improve
// Restricted Boltzmann Machines", ICML 2010). NaN stays NaN.
func Relu(x *Array) *Array {
	return apply(x, func(x float64) float64 {
		if x <= 0 {
			return 0
		}
		return x
	})
}

// ReluGrad is dX = dY where Y > 0 and 0 where Y ≤ 0: the gradient of Relu by
// its own output. At NaN dY passes.
func ReluGrad(dy, y *Array) *Array {
	return apply2(dy, y, func(dy, y float64) float64 {
		if y <= 0 {
			return 0
		}
		return dy
	})
}

// LeakyRelu is Y = X above zero, else α·X (Maas, Hannun and Ng, "Rectifier
// Nonlinearities Improve Neural Network Acoustic Models", ICML 2013).
func LeakyRelu(x *Array, alpha float64) *Array {
	return apply(x, func(x float64) float64 {
		if x <= 0 {
			return alpha * x
		}
		return x
	})
}

// PRelu is Y = X above zero, else slope·X; the slope is broadcast to X (He et
// al., "Delving Deep into Rectifiers", ICCV 2015).
func PRelu(x, slope *Array) *Array {
	return apply2(x, slope, func(x, slope float64) float64 {
		if x <= 0 {
			return slope * x
		}
		return x
	})
}

// ThresholdedRelu is Y = X above α, else 0 (Konda, Memisevic and Krueger,
// "Zero-bias autoencoders and the benefits of co-adapting features", ICLR
// 2015).
func ThresholdedRelu(x *Array, alpha float64) *Array {
	return apply(x, func(x float64) float64 {
		if x <= alpha {
			return 0
		}
		return x
	})
}

// Elu is Y = X above zero, else α·(eˣ − 1) (Clevert, Unterthiner and
// Hochreiter, "Fast and Accurate Deep Network Learning by Exponential Linear
// Units", ICLR 2016).
func Elu(x *Array, alpha float64) *Array {
	return apply(x, func(x float64) float64 {
		if x <= 0 {
			return alpha * math.Expm1(x)
		}
		return x
	})
}

// Selu is Y = γ·X above zero, else γ·α·(eˣ − 1) (Klambauer et al.,
// "Self-Normalizing Neural Networks", NIPS 2017).
func Selu(x *Array, alpha, gamma float64) *Array {
	return apply(Elu(x, alpha), func(y float64) float64 { return gamma * y })
}

// Celu is Y = X above zero, else α·(e^(X/α) − 1) (Barron, "Continuously
// Differentiable Exponential Linear Units", 2017).
func Celu(x *Array, alpha float64) *Array {
	return apply(x, func(x float64) float64 {
		if x <= 0 {
			return alpha * math.Expm1(x/alpha)
		}
		return x
	})
}

// Gelu is Y = X·Φ(X) = ½·X·(1 + erf(X/√2)) (Hendrycks and Gimpel, "Gaussian
// Error Linear Units", 2016).
func Gelu(x *Array) *Array {
	return apply(x, func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) })
}

// GeluTanh is the same paper's approximation
// Y = ½·X·(1 + tanh(√(2/π)·(X + 0.044715·X³))).
func GeluTanh(x *Array) *Array {
	return apply(x, func(x float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	})
}

// Sigmoid is the logistic function Y = 1 / (1 + e⁻ˣ). Where e⁻ˣ overflows the
// quotient is the right 0.
func Sigmoid(x *Array) *Array {
	return apply(x, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })
}

// HardSigmoid is Y = max(0, min(1, α·X + β)) (Courbariaux, Bengio and David,
// "BinaryConnect", NIPS 2015).
func HardSigmoid(x *Array, alpha, beta float64) *Array {
	return apply(x, func(x float64) float64 { return max(0, min(1, alpha*x+beta)) })
}

// HardSwish is Y = X·max(0, min(1, X/6 + ½)) (Howard et al., "Searching for
// MobileNetV3", ICCV 2019).
func HardSwish(x *Array) *Array {
	return Mul(x, HardSigmoid(x, 1.0/6, 0.5))
}

// Swish is Y = X·sigmoid(α·X) (Ramachandran, Zoph and Le, "Searching for
// Activation Functions", 2017); α = 1 is the SiLU.
func Swish(x *Array, alpha float64) *Array {
	return apply(x, func(x float64) float64 { return x / (1 + math.Exp(-alpha*x)) })
}

// Tanh is the hyperbolic tangent.
func Tanh(x *Array) *Array { return apply(x, math.Tanh) }

// Softplus is Y = log(1 + eˣ) (Dugas et al., "Incorporating Second-Order
// Functional Knowledge for Better Option Pricing", NIPS 2000), as
// max(X, 0) + log(1 + e^−|X|), whose exponential does not overflow.
func Softplus(x *Array) *Array { return apply(x, softplus) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// Softsign is Y = X / (1 + |X|) (Bergstra et al., "Quadratic Polynomials Learn
// Better Image Features", 2009).
func Softsign(x *Array) *Array {
	return apply(x, func(x float64) float64 { return x / (1 + math.Abs(x)) })
}

// Mish is Y = X·tanh(log(1 + eˣ)) (Misra, "Mish: A Self Regularized
// Non-Monotonic Activation Function", BMVC 2020).
func Mish(x *Array) *Array {
	return apply(x, func(x float64) float64 { return x * math.Tanh(softplus(x)) })
}
