package machine

import (
	"fmt"
	"strconv"
	"strings"
)

// preset is an environment variable that holds a library to less than the processor can do.
type preset struct {
	name, library string
	// harmless values leave the library's own choice alone.
	harmless []string
}

// presets: METHOD rule 13, each peer at its best. OPENBLAS_CORETYPE alone can halve a peer's speed.
var presets = []preset{
	{"OPENBLAS_CORETYPE", "OpenBLAS", nil},
	{"OPENBLAS_L2_SIZE", "OpenBLAS", nil},
	{"NVPL_BLAS_DEBUG_CPU_TYPE", "NVPL BLAS", nil},
	{"BLIS_ARCH_TYPE", "BLIS", nil},
	{"MKL_DEBUG_CPU_TYPE", "MKL", nil},
	{"MKL_ENABLE_INSTRUCTIONS", "MKL", nil},
	{"MKL_CBWR", "MKL", []string{"OFF"}},
	{"ONEDNN_MAX_CPU_ISA", "oneDNN", []string{"ALL", "DEFAULT"}},
	{"DNNL_MAX_CPU_ISA", "oneDNN", []string{"ALL", "DEFAULT"}},
	{"ATEN_CPU_CAPABILITY", "PyTorch", []string{"AVX512"}},
	{"NPY_DISABLE_CPU_FEATURES", "NumPy", nil},
	{"CUDA_LAUNCH_BLOCKING", "CUDA", []string{"0"}},
}

func checkPresets(i Info, _ Conditions) []Finding {
	var found []Finding
	for _, p := range presets {
		value, set := i.Environment[p.name]
		if !set || p.allows(value) {
			continue
		}
		found = append(found, Finding{
			Severity: Problem,
			What:     fmt.Sprintf("%s=%s is set", p.name, value),
			Why:      p.library + " uses what that names instead of what this processor can do: a peer measured so is not at its best",
			Mend:     "unset " + p.name,
		})
	}
	return found
}

func (p preset) allows(value string) bool {
	for _, h := range p.harmless {
		if strings.EqualFold(value, h) {
			return true
		}
	}
	return false
}

// threadPresets limit how many threads a library, or Go, starts on its own.
var threadPresets = []string{
	"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT", "GOMAXPROCS",
}

func checkThreadPresets(i Info, _ Conditions) []Finding {
	cpus := int(i.UsableCPUs())
	var found []Finding
	for _, name := range threadPresets {
		// OMP_NUM_THREADS may list a number a nesting level: the first is the outer one.
		first, _, _ := strings.Cut(i.Environment[name], ",")
		n, err := strconv.Atoi(first)
		if err != nil || cpus == 0 || n == cpus {
			continue
		}
		why := "a backend that follows it leaves CPUs idle"
		if n > cpus {
			why = "a backend that follows it has more threads than CPUs, and they wait for each other"
		}
		found = append(found, Finding{
			Severity: Warning,
			What:     fmt.Sprintf("%s=%s is set, with %d CPUs to use", name, i.Environment[name], cpus),
			Why:      why,
			Mend:     "unset " + name + ", and say --threads",
		})
	}
	return found
}
