// The first process of a pod: it holds the pod's namespaces, collects what others leave, and ends when it is told to.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	heard := make(chan os.Signal, 16)
	signal.Notify(heard, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for one := range heard {
		if one != syscall.SIGCHLD {
			os.Exit(0)
		}
		collect()
	}
}

// One signal may stand for several children.
func collect() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || pid <= 0 {
			return
		}
	}
}
