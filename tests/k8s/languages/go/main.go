// Flights and minutes of each carrier, in Go: one static binary, which is all that its image holds.
package main

import (
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/parquet-go/parquet-go"
)

type Delay struct {
	Carrier string `parquet:"carrier"`
	Flights int64  `parquet:"flights"`
	Minutes int64  `parquet:"minutes"`
}

func main() {
	totals := map[string]Delay{}
	err := filepath.WalkDir(os.Getenv("TEAMSPARK_INPUT_DELAYS"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		return add(totals, path)
	})
	if err != nil {
		log.Fatal(err)
	}
	rows := make([]Delay, 0, len(totals))
	for _, total := range totals {
		rows = append(rows, total)
	}
	if err := parquet.WriteFile(filepath.Join(os.Getenv("TEAMSPARK_OUTPUT_DEFAULT"), "totals.parquet"), rows); err != nil {
		log.Fatal(err)
	}
}

func add(totals map[string]Delay, path string) error {
	rows, err := read(path)
	if err != nil {
		return err
	}
	for _, row := range rows {
		total := totals[row.Carrier]
		totals[row.Carrier] = Delay{row.Carrier, total.Flights + row.Flights, total.Minutes + row.Minutes}
	}
	return nil
}

// The library cannot read a row group without rows, which pyarrow writes for a table without any.
func read(path string) ([]Delay, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	facts, err := file.Stat()
	if err != nil {
		return nil, err
	}
	opened, err := parquet.OpenFile(file, facts.Size())
	if err != nil || opened.NumRows() == 0 {
		return nil, err
	}
	return parquet.Read[Delay](file, facts.Size())
}
