// Command kustomize-loop builds kustomizations with kustomize's own library, one after the other in one process.
// It is the oracle of the differential suite, and what the benchmark measures the library by.
//
// Each line of stdin is a request in JSON, and each line of stdout its answer. See request and answer.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"syscall"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"
)

// request asks for one kustomization.
type request struct {
	// Files are kept in memory, by their absolute path.
	Files map[string]string `json:"files"`
	// Run is the folder that is built: of Files, or, if there are none, of the disk.
	Run string `json:"run"`
	// AnyFile lets files outside of a kustomization's folder be read.
	AnyFile bool `json:"anyFile"`
	// Times says how often it is built; once if it is not there. The objects are of the last time.
	Times int `json:"times"`
	// Quiet leaves the objects out of the answer.
	Quiet bool `json:"quiet"`
}

// answer is what a kustomization was built to.
type answer struct {
	// Objects are as Kubernetes' own reader finds them in the YAML that `kustomize build` prints.
	Objects []json.RawMessage `json:"objects"`
	// Error says why there are none.
	Error string `json:"error,omitempty"`
	// Bytes is the length of that YAML.
	Bytes int `json:"bytes"`
	// CPU is the processor time of all builds, in nanoseconds, garbage collection included.
	CPU int64 `json:"cpu"`
}

func main() {
	// Warnings of the library would be one line for each build.
	log.SetOutput(io.Discard)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		var asked request
		if err == nil {
			err = json.Unmarshal(line, &asked)
		}
		if err == nil {
			err = out.Encode(respond(asked))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "kustomize-loop:", err)
			os.Exit(1)
		}
	}
}

// hadSchema is whether the last request set a schema, which the library keeps for all that comes after it.
var hadSchema bool

func respond(asked request) (made answer) {
	hasSchema := false
	for _, text := range asked.Files {
		hasSchema = hasSchema || strings.Contains(text, "openapi:")
	}
	if hasSchema || hadSchema {
		openapi.ResetOpenAPI()
	}
	hadSchema = hasSchema
	defer func() {
		if cause := recover(); cause != nil {
			made = answer{Error: fmt.Sprintf("panic: %v", cause)}
		}
	}()
	files := filesys.MakeFsOnDisk()
	if len(asked.Files) > 0 {
		files = filesys.MakeFsInMemory()
		for path, text := range asked.Files {
			if err := files.WriteFile(path, []byte(text)); err != nil {
				return answer{Error: err.Error()}
			}
		}
	}
	begun := processorTime()
	for range max(1, asked.Times) {
		made = build(files, asked)
	}
	made.CPU = processorTime() - begun
	return made
}

// build does what the command `kustomize build` does.
func build(files filesys.FileSystem, asked request) answer {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	if asked.AnyFile {
		options.LoadRestrictions = types.LoadRestrictionsNone
	}
	built, err := krusty.MakeKustomizer(options).Run(files, asked.Run)
	if err != nil {
		return answer{Error: err.Error()}
	}
	text, err := built.AsYaml()
	if err != nil {
		return answer{Error: err.Error()}
	}
	made := answer{Bytes: len(text), Objects: []json.RawMessage{}}
	if asked.Quiet {
		return made
	}
	made.Objects, err = objects(built)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return made
}

func objects(built resmap.ResMap) ([]json.RawMessage, error) {
	all := make([]json.RawMessage, 0, built.Size())
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return nil, err
		}
		object, err := yaml.YAMLToJSON(text)
		if err != nil {
			return nil, err
		}
		all = append(all, object)
	}
	return all, nil
}

func processorTime() int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}
