// pulumi-language-python is the engine's host for Python programs and policy packs, for machines that build the engine
// from its source and so do not get the one that the engine's download carries.
//
// The engine starts it with its own address as the last argument, reads a port from the first line of its output and
// speaks pulumirpc.LanguageRuntime to it. Programs are started through Pulumi's own pulumi-language-python-exec, which
// the build puts beside this binary.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// A program that ends with this code has already told the user what is wrong (see pulumi-language-python-exec).
const saidWhatIsWrong = 32

// How often to look whether the engine is still there: an engine that was killed leaves nothing running.
const engineCheck = 5 * time.Second

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	mu            sync.Mutex
	engineAddress string
	// Cancelled when the engine asks for it; everything that was started ends with it.
	stopping context.Context
	stop     context.CancelFunc
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: pulumi-language-python ENGINE_ADDRESS (the Pulumi engine starts this program)")
		os.Exit(2)
	}
	engineAddress := os.Args[len(os.Args)-1]
	stopping, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := rpcutil.Healthcheck(stopping, engineAddress, engineCheck, stop); err != nil {
		fail(fmt.Errorf("the engine at %s cannot be reached: %w", engineAddress, err))
	}
	cancelled := make(chan bool)
	go func() {
		<-stopping.Done()
		close(cancelled)
	}()
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancelled,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, &host{
				engineAddress: engineAddress, stopping: stopping, stop: stop,
			})
			return nil
		},
	})
	if err != nil {
		fail(err)
	}
	fmt.Println(handle.Port)
	if err := <-handle.Done; err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "pulumi-language-python: %v\n", err)
	os.Exit(1)
}

func (h *host) Handshake(
	_ context.Context, request *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.engineAddress = request.GetEngineAddress()
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{}, nil
}

// GetRequiredPackages names none: the engine learns each provider and its version from the program's own registrations.
func (h *host) GetRequiredPackages(
	context.Context, *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (h *host) About(ctx context.Context, request *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	executable, err := python(request.GetInfo())
	if err != nil {
		return nil, err
	}
	version, err := exec.CommandContext(ctx, executable, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", executable, err)
	}
	return &pulumirpc.AboutResponse{
		Executable: executable,
		Version:    strings.TrimPrefix(strings.TrimSpace(string(version)), "Python "),
	}, nil
}

func (h *host) InstallDependencies(
	_ *pulumirpc.InstallDependenciesRequest, server grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	return server.Send(&pulumirpc.InstallDependenciesResponse{
		Stdout: []byte("The project's own `make setup` installs its dependencies from uv.lock.\n"),
	})
}

func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.stop()
	return &emptypb.Empty{}, nil
}

// Run runs a Pulumi program to its end.
func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	info := request.GetInfo()
	executable, err := python(info)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Never `null`: the SDK takes an object and a list.
	configuration, err := json.Marshal(configurationOf(request))
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(append([]string{}, request.GetConfigSecretKeys()...))
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	engineAddress := h.engineAddress
	h.mu.Unlock()

	arguments := []string{
		"-u",
		filepath.Join(filepath.Dir(self), "pulumi-language-python-exec"),
		"--monitor", request.GetMonitorAddress(),
		"--engine", engineAddress,
		"--project", request.GetProject(),
		"--root_directory", info.GetRootDirectory(),
		"--stack", request.GetStack(),
		"--pwd", request.GetPwd(),
		"--parallel", strconv.Itoa(int(request.GetParallel())),
		"--dry_run", strconv.FormatBool(request.GetDryRun()),
		"--organization", request.GetOrganization(),
		filepath.Join(info.GetProgramDirectory(), info.GetEntryPoint()),
	}
	command := h.command(ctx, executable, append(arguments, request.GetArgs()...))
	command.Env = append(
		os.Environ(),
		"PULUMI_CONFIG="+string(configuration),
		"PULUMI_CONFIG_SECRET_KEYS="+string(secretKeys),
	)
	// The engine shows what a language host prints as the program's own words.
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	err = command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == saidWhatIsWrong:
		return &pulumirpc.RunResponse{Bail: true}, nil
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program %s: %v", info.GetProgramDirectory(), err)}, nil
	}
}

func configurationOf(request *pulumirpc.RunRequest) map[string]string {
	if configuration := request.GetConfig(); configuration != nil {
		return configuration
	}
	return map[string]string{}
}

// RunPlugin runs a plugin that is written in Python. A policy pack (kind "analyzer") is started by the SDK's own module.
func (h *host) RunPlugin(
	request *pulumirpc.RunPluginRequest, server grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	info := request.GetInfo()
	executable, err := python(info)
	if err != nil {
		return err
	}
	arguments := []string{"-u"}
	if request.GetKind() == "analyzer" {
		arguments = append(arguments, "-m", "pulumi.policy")
		arguments = append(arguments, request.GetArgs()...)
		arguments = append(arguments, info.GetProgramDirectory())
	} else {
		arguments = append(arguments, filepath.Join(info.GetProgramDirectory(), info.GetEntryPoint()))
		arguments = append(arguments, request.GetArgs()...)
	}
	command := h.command(server.Context(), executable, arguments)
	command.Dir = request.GetPwd()
	command.Env = request.GetEnv()
	var sending sync.Mutex
	command.Stdout = stream(func(line []byte) error {
		sending.Lock()
		defer sending.Unlock()
		return server.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: line}})
	})
	command.Stderr = stream(func(line []byte) error {
		sending.Lock()
		defer sending.Unlock()
		return server.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: line}})
	})
	err = command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	return server.Send(&pulumirpc.RunPluginResponse{
		Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(command.ProcessState.ExitCode())},
	})
}

// stream is a writer that hands on copies of what is written to it.
type stream func([]byte) error

func (s stream) Write(content []byte) (int, error) {
	if err := s(bytes.Clone(content)); err != nil {
		return 0, io.ErrClosedPipe
	}
	return len(content), nil
}

// command is a process that is asked to end when its request is cancelled or the host stops, and made to soon after.
func (h *host) command(ctx context.Context, executable string, arguments []string) *exec.Cmd {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(h.stopping, cancel)
	command := exec.CommandContext(ctx, executable, arguments...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 2 * time.Second
	return command
}

// python finds the interpreter: the virtual environment that the project names, else the active one, else PATH's.
func python(info *pulumirpc.ProgramInfo) (string, error) {
	named := info.GetOptions().GetFields()["virtualenv"].GetStringValue()
	folder := named
	if folder == "" {
		folder = os.Getenv("VIRTUAL_ENV")
	} else if !filepath.IsAbs(folder) {
		folder = filepath.Join(info.GetRootDirectory(), folder)
	}
	if folder == "" {
		return exec.LookPath("python3")
	}
	executable := filepath.Join(folder, "bin", "python")
	if _, err := os.Stat(executable); err != nil {
		return "", fmt.Errorf("the virtual environment %s has no interpreter: run `make setup`: %w", folder, err)
	}
	return executable, nil
}
