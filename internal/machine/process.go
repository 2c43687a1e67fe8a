package machine

// ProcessMemory is one process's memory in bytes, as the kernel's page tables count it.
type ProcessMemory struct {
	// Peak is the largest resident set so far (VmHWM), or since ResetPeak. It counts the touched pages of shared
	// regions too. It is not getrusage's ru_maxrss, which a child inherits from its parent.
	Peak int64 `json:"peak_bytes"`
	// Resident is Anonymous + File + Shared, now.
	Resident  int64 `json:"resident_bytes"`
	Anonymous int64 `json:"anonymous_bytes"` // heap, stacks, private copies (RssAnon)
	File      int64 `json:"file_bytes"`      // mapped files: code, libraries (RssFile)
	Shared    int64 `json:"shared_bytes"`    // shared memory: memfd, tmpfs (RssShmem)
}
