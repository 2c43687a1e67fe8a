package fetch

// Set is a published set.
type Set struct {
	Name        string
	Description string
	Files       []File
}

// File is one file of a set as it is published.
type File struct {
	Name   string
	Size   int64
	SHA256 string
	URLs   []string // tried in turn
	Unpack *Archive // nil of a file that is kept as it is
}

// Archive is what is taken out of a gzipped tar.
type Archive struct {
	Folder  string           // within the archive
	Members map[string]int64 // file names, and the most bytes that each may have
}

// Bytes is what is downloaded.
func (s Set) Bytes() (n int64) {
	for _, f := range s.Files {
		n += f.Size
	}
	return n
}

// Sets are those that can be fetched. Addresses are the authors' and those that
// torchvision and TensorFlow Datasets use; lengths and checksums are those that
// TensorFlow Datasets publishes (tensorflow_datasets/url_checksums: mnist.txt,
// fashion_mnist.txt, cifar10.txt, cifar100.txt).
var Sets = []Set{
	{
		Name: "mnist", Description: "MNIST (LeCun, Cortes, Burges 1998): digits, 28×28×1, 60,000 and 10,000",
		Files: idxFiles([]string{"https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"}, [4]sum{
			{9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
			{28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
			{1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
			{4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
		}),
	},
	{
		Name: "fashion-mnist", Description: "Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): clothes, 28×28×1, 60,000 and 10,000",
		Files: idxFiles([]string{"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"}, [4]sum{
			{26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
			{29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
			{4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
			{5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"},
		}),
	},
	{
		Name: "cifar-10", Description: "CIFAR-10 (Krizhevsky 2009): objects of 10 classes, 32×32×3, 50,000 and 10,000",
		Files: []File{{
			Name: "cifar-10-binary.tar.gz", Size: 170052171,
			SHA256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
			URLs:   []string{"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"},
			Unpack: &Archive{"cifar-10-batches-bin", map[string]int64{
				"data_batch_1.bin": cifar10File, "data_batch_2.bin": cifar10File, "data_batch_3.bin": cifar10File,
				"data_batch_4.bin": cifar10File, "data_batch_5.bin": cifar10File, "test_batch.bin": cifar10File,
				"batches.meta.txt": cifarNames,
			}},
		}},
	},
	{
		Name: "cifar-100", Description: "CIFAR-100 (Krizhevsky 2009): objects of 100 classes, 32×32×3, 50,000 and 10,000",
		Files: []File{{
			Name: "cifar-100-binary.tar.gz", Size: 168513733,
			SHA256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
			URLs:   []string{"https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"},
			Unpack: &Archive{"cifar-100-binary", map[string]int64{
				"train.bin": 50_000 * (2 + 3072), "test.bin": 10_000 * (2 + 3072),
				"fine_label_names.txt": cifarNames, "coarse_label_names.txt": cifarNames,
			}},
		}},
	},
}

const (
	cifar10File = 10_000 * (1 + 3072)
	cifarNames  = 1 << 16
)

type sum struct {
	size   int64
	sha256 string
}

// idxFiles are the four files of MNIST's format in one order.
func idxFiles(bases []string, sums [4]sum) []File {
	out := make([]File, 4)
	for i, name := range []string{"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"} {
		out[i] = File{Name: name, Size: sums[i].size, SHA256: sums[i].sha256}
		for _, base := range bases {
			out[i].URLs = append(out[i].URLs, base+name)
		}
	}
	return out
}
