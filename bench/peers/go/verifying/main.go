// Command verifying is a handler that does with Go's usual libraries what docwarden does: it fetches
// with a transport that keeps its connections, decodes pictures with image/png and image/jpeg,
// validates PDFs with pdfcpu, and answers 502 where that fails. With -only png it decodes PNGs and
// hands everything else on.
package main

import (
	"bytes"
	"flag"
	"image/jpeg"
	"image/png"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
)

func verify(body []byte, onlyPNG bool) error {
	var err error
	switch {
	case bytes.HasPrefix(body, []byte("\x89PNG")):
		_, err = png.Decode(bytes.NewReader(body))
	case onlyPNG:
	case bytes.HasPrefix(body, []byte("\xff\xd8")):
		_, err = jpeg.Decode(bytes.NewReader(body))
	case bytes.HasPrefix(body, []byte("%PDF-")):
		err = api.Validate(bytes.NewReader(body), model.NewDefaultConfiguration())
	}
	return err
}

func main() {
	listen := flag.String("listen", "", "address to listen on")
	upstream := flag.String("upstream", "", "URL of the upstream")
	only := flag.String("only", "", "png: look at PNGs only")
	flag.Parse()
	api.DisableConfigDir()
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer, err := client.Get(*upstream + r.URL.Path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(io.LimitReader(answer.Body, 32<<20))
		if err == nil {
			err = verify(body, *only == "png")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", http.DetectContentType(body))
		w.Write(body)
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
