// Command steady sends requests at a fixed rate, evenly spaced, and measures each from the moment
// at which it was due, so that a gateway that stalls does not thin out the load that it is
// measured with ("coordinated omission"). A request takes whichever connection is free.
//
// wrk has no rate; h2load and hey have one, but a connection sends at whole milliseconds there,
// many connections in the same one, and what is measured then is the burst.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var lengthField = []byte("content-length:")

// exchange makes one request and reads its answer to the end; it returns the status.
func exchange(conn net.Conn, reader *bufio.Reader, request []byte) (int, error) {
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	status, length := 0, -1
	for first := true; ; first = false {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if first {
			if len(line) < 12 {
				return 0, errors.New("no status line")
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, err
			}
			continue
		}
		if len(line) <= 2 {
			break
		}
		if len(line) > len(lengthField) && bytes.EqualFold(line[:len(lengthField)], lengthField) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthField):]))); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("an answer without a length")
	}
	_, err := io.CopyN(io.Discard, reader, int64(length))
	return status, err
}

// await sleeps until due on a thread of its own: Go's timers are as coarse as a millisecond here.
func await(due time.Time) {
	for left := time.Until(due); left > 0; left = time.Until(due) {
		span := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&span, nil)
	}
}

func main() {
	address := flag.String("address", "", "address to ask")
	rate := flag.Float64("rate", 1000, "requests a second")
	seconds := flag.Float64("seconds", 5, "how long")
	connections := flag.Int("connections", 32, "connections")
	flag.Parse()
	request := []byte("GET /7 HTTP/1.1\r\nHost: bench\r\n\r\n")
	count := int(*rate * *seconds)
	due := make(chan time.Time, count)
	taken := make([][]float64, *connections)
	refused, broken := make([]int, *connections), make([]int, *connections)
	var working sync.WaitGroup
	for i := 0; i < *connections; i++ {
		conn, err := net.Dial("tcp", *address)
		if err != nil {
			log.Fatal(err)
		}
		taken[i] = make([]float64, 0, count)
		working.Add(1)
		go func() {
			defer working.Done()
			reader := bufio.NewReaderSize(conn, 64<<10)
			for at := range due {
				status, err := exchange(conn, reader, request)
				taken[i] = append(taken[i], float64(time.Since(at).Nanoseconds())/1e6)
				if err != nil {
					broken[i]++
					conn.Close()
					if conn, err = net.Dial("tcp", *address); err != nil {
						log.Fatal(err)
					}
					reader.Reset(conn)
				} else if status != 200 {
					refused[i]++
				}
			}
		}()
	}
	runtime.LockOSThread()
	started := time.Now()
	for i := 0; i < count; i++ {
		at := started.Add(time.Duration(float64(i) / *rate * float64(time.Second)))
		await(at)
		due <- at
	}
	close(due)
	working.Wait()
	elapsed := time.Since(started).Seconds()
	all, not200, failed := []float64{}, 0, 0
	for i := range taken {
		all = append(all, taken[i]...)
		not200 += refused[i]
		failed += broken[i]
	}
	sort.Float64s(all)
	at := func(share float64) float64 { return all[int(share*float64(len(all)-1))] }
	fmt.Fprintf(os.Stderr,
		`{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "p999": %.3f, "refused": %d, "broken": %d}`+"\n",
		len(all), elapsed, at(0.5), at(0.99), at(0.999), not200, failed)
}
