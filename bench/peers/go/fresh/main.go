// Command fresh is an upstream whose documents nobody has seen before: it sends the files of a
// folder in turn, each time with another serial number, so that no two answers are equal and all
// are intact. A file names its serial number once, as SERIAL-0000000000000000; in a PNG it stands in
// a tEXt chunk, whose CRC follows it.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
)

var mark = []byte("SERIAL-0000000000000000")

type document struct {
	body   []byte
	at     int
	png    bool
	length string
}

func load(file string) document {
	body, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	at := bytes.Index(body, mark)
	if at < 0 || bytes.Count(body, mark) != 1 {
		log.Fatalf("%s does not name its serial number once", file)
	}
	return document{body, at + len("SERIAL-"), strings.HasSuffix(file, ".png"), fmt.Sprint(len(body))}
}

// numbered returns the document with a serial number of its own.
func (d document) numbered(number uint64) []byte {
	body := bytes.Clone(d.body)
	copy(body[d.at:], fmt.Sprintf("%016d", number))
	if d.png {
		start := bytes.LastIndex(body[:d.at], []byte("tEXt"))
		end := d.at + 16
		binary.BigEndian.PutUint32(body[end:], crc32.ChecksumIEEE(body[start:end]))
	}
	return body
}

func main() {
	listen := flag.String("listen", "", "address to listen on")
	status := flag.String("status", "", "address that tells how many were answered, as nginx does")
	folder := flag.String("folder", "", "where the documents are")
	flag.Parse()
	files, _ := filepath.Glob(filepath.Join(*folder, "*"))
	sort.Strings(files)
	documents := []document{}
	for _, file := range files {
		documents = append(documents, load(file))
	}
	if len(documents) == 0 {
		log.Fatal("no documents")
	}
	var answered atomic.Uint64
	go func() {
		log.Fatal(http.ListenAndServe(*status, http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				n := answered.Add(1)
				fmt.Fprintf(w, "Active connections: 1\nserver accepts handled requests\n 1 1 %d\n", n)
			})))
	}()
	log.Fatal(http.ListenAndServe(*listen, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			number := answered.Add(1)
			chosen := documents[number%uint64(len(documents))]
			w.Header().Set("Content-Length", chosen.length)
			w.Write(chosen.numbered(number))
		})))
}
