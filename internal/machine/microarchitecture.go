package machine

// model names one range of model numbers within a vendor's family; minStepping splits those that share a model.
type model struct {
	vendor       string
	family       int
	first, last  int
	minStepping  int
	architecture string
}

// models is searched in order: the first that fits wins. AMD's ranges are those of Linux's
// arch/x86/kernel/cpu/amd.c (early_init_amd, bsp_init_amd), Intel's those of arch/x86/include/asm/intel-family.h.
// ARM's family is the implementer and its model the part number of MIDR_EL1 (arch/arm64/include/asm/cputype.h).
var models = []model{
	{"AMD", 0x17, 0x00, 0x2f, 0, "Zen"},
	{"AMD", 0x17, 0x50, 0x5f, 0, "Zen"},
	{"AMD", 0x17, 0x30, 0xaf, 0, "Zen 2"},
	{"Hygon", 0x18, 0x00, 0xff, 0, "Zen"},
	{"AMD", 0x19, 0x00, 0x0f, 0, "Zen 3"},
	{"AMD", 0x19, 0x20, 0x5f, 0, "Zen 3"},
	{"AMD", 0x19, 0x10, 0x1f, 0, "Zen 4"},
	{"AMD", 0x19, 0x60, 0xaf, 0, "Zen 4"},
	{"AMD", 0x1a, 0x50, 0x5f, 0, "Zen 6"},
	{"AMD", 0x1a, 0x80, 0xaf, 0, "Zen 6"},
	{"AMD", 0x1a, 0xc0, 0xcf, 0, "Zen 6"},
	{"AMD", 0x1a, 0x00, 0x7f, 0, "Zen 5"},

	{"Intel", 6, 0x2a, 0x2a, 0, "Sandy Bridge"}, {"Intel", 6, 0x2d, 0x2d, 0, "Sandy Bridge"},
	{"Intel", 6, 0x3a, 0x3a, 0, "Ivy Bridge"}, {"Intel", 6, 0x3e, 0x3e, 0, "Ivy Bridge"},
	{"Intel", 6, 0x3c, 0x3c, 0, "Haswell"}, {"Intel", 6, 0x3f, 0x3f, 0, "Haswell"}, {"Intel", 6, 0x45, 0x46, 0, "Haswell"},
	{"Intel", 6, 0x3d, 0x3d, 0, "Broadwell"}, {"Intel", 6, 0x47, 0x47, 0, "Broadwell"},
	{"Intel", 6, 0x4f, 0x4f, 0, "Broadwell"}, {"Intel", 6, 0x56, 0x56, 0, "Broadwell"},
	{"Intel", 6, 0x4e, 0x4e, 0, "Skylake"}, {"Intel", 6, 0x5e, 0x5e, 0, "Skylake"},
	{"Intel", 6, 0x55, 0x55, 10, "Cooper Lake"}, {"Intel", 6, 0x55, 0x55, 5, "Cascade Lake"}, {"Intel", 6, 0x55, 0x55, 0, "Skylake"},
	{"Intel", 6, 0x8e, 0x8e, 0, "Kaby Lake"}, {"Intel", 6, 0x9e, 0x9e, 0, "Kaby Lake"},
	{"Intel", 6, 0xa5, 0xa6, 0, "Comet Lake"},
	{"Intel", 6, 0x6a, 0x6a, 0, "Ice Lake"}, {"Intel", 6, 0x6c, 0x6c, 0, "Ice Lake"}, {"Intel", 6, 0x7d, 0x7e, 0, "Ice Lake"},
	{"Intel", 6, 0x8c, 0x8d, 0, "Tiger Lake"},
	{"Intel", 6, 0xa7, 0xa7, 0, "Rocket Lake"},
	{"Intel", 6, 0x97, 0x97, 0, "Alder Lake"}, {"Intel", 6, 0x9a, 0x9a, 0, "Alder Lake"},
	{"Intel", 6, 0xb7, 0xb7, 0, "Raptor Lake"}, {"Intel", 6, 0xba, 0xba, 0, "Raptor Lake"}, {"Intel", 6, 0xbf, 0xbf, 0, "Raptor Lake"},
	{"Intel", 6, 0xaa, 0xaa, 0, "Meteor Lake"}, {"Intel", 6, 0xac, 0xac, 0, "Meteor Lake"},
	{"Intel", 6, 0xb5, 0xb5, 0, "Arrow Lake"}, {"Intel", 6, 0xc5, 0xc6, 0, "Arrow Lake"},
	{"Intel", 6, 0xbd, 0xbd, 0, "Lunar Lake"},
	{"Intel", 6, 0xcc, 0xcc, 0, "Panther Lake"},
	{"Intel", 6, 0x8f, 0x8f, 0, "Sapphire Rapids"},
	{"Intel", 6, 0xcf, 0xcf, 0, "Emerald Rapids"},
	{"Intel", 6, 0xad, 0xae, 0, "Granite Rapids"},
	{"Intel", 6, 0xaf, 0xaf, 0, "Sierra Forest"},

	{"ARM", 0x41, 0xd0c, 0xd0c, 0, "Neoverse N1"},
	{"ARM", 0x41, 0xd40, 0xd40, 0, "Neoverse V1"},
	{"ARM", 0x41, 0xd49, 0xd49, 0, "Neoverse N2"},
	{"ARM", 0x41, 0xd4f, 0xd4f, 0, "Neoverse V2"},
	{"ARM", 0x41, 0xd84, 0xd84, 0, "Neoverse V3"},
	{"ARM", 0x41, 0xd8e, 0xd8e, 0, "Neoverse N3"},
}

// microarchitecture names the design from the numbers that cpuid (or MIDR_EL1) gives; Unknown if the table lacks it.
func microarchitecture(vendor string, family, number, stepping int) string {
	for _, m := range models {
		if m.vendor == vendor && m.family == family && m.first <= number && number <= m.last && stepping >= m.minStepping {
			return m.architecture
		}
	}
	return Unknown
}
