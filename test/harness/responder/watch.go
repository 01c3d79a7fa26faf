package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// closed is closed when the reader ends: the caller's way to say "enough".
func closed(in io.Reader) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, in)
		close(done)
	}()
	return done
}

// Hold reports one connection that was kept busy.
type Hold struct {
	Requests int `json:"requests"`
	Failures int `json:"failures"`
	// Connections counts TCP connections: 1 when the first one lived all the time.
	Connections int    `json:"connections"`
	LongestMs   int64  `json:"longestMs"`
	LastError   string `json:"lastError,omitempty"`
}

// hold asks again and again over one HTTP connection and reports whether it had to be made anew.
func hold(url string, interval time.Duration, in io.Reader, out io.Writer) error {
	report := Hold{}
	transport := &http.Transport{MaxConnsPerHost: 1, IdleConnTimeout: time.Hour, DialContext: (&net.Dialer{}).DialContext}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if !info.Reused {
			report.Connections++
		}
	}}
	done := closed(in)
	for {
		started := time.Now()
		if err := get(client, trace, url); err != nil {
			report.Failures++
			report.LastError = err.Error()
		}
		report.Requests++
		report.LongestMs = max(report.LongestMs, time.Since(started).Milliseconds())
		if report.Requests == 1 {
			fmt.Fprintln(out, "holding")
		}
		select {
		case <-done:
			return json.NewEncoder(out).Encode(report)
		case <-time.After(interval):
		}
	}
}

func get(client *http.Client, trace *httptrace.ClientTrace, url string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if greetingLine(body) == "" {
		return fmt.Errorf("status %d without a greeting", response.StatusCode)
	}
	return nil
}

// Flood reports a probe that was repeated.
type Flood struct {
	Sent int `json:"sent"`
	// Answers are those expected; Reached counts what else somebody took: a handshake without an answer, a refusal.
	Answers int `json:"answers"`
	Reached int `json:"reached"`
	// FirstAnswerMs and LastAnswerMs are milliseconds since the start; -1 without an answer.
	FirstAnswerMs int64 `json:"firstAnswerMs"`
	LastAnswerMs  int64 `json:"lastAnswerMs"`
	// LongestPauseMs is the longest time without a probe being sent, the one at the end too.
	LongestPauseMs int64 `json:"longestPauseMs"`
}

// flood sends the probe every interval, not waiting for the one before, and counts the answers.
func flood(probeJSON string, interval time.Duration, in io.Reader, out io.Writer) error {
	var probe Probe
	if err := json.Unmarshal([]byte(probeJSON), &probe); err != nil {
		return err
	}
	report := Flood{FirstAnswerMs: -1, LastAnswerMs: -1}
	answers := make(chan int64, 1024)
	reached := make(chan struct{}, 1024)
	begin := time.Now()
	last := begin
	done := closed(in)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	pending := 0
	finished := make(chan struct{}, 1024)
	fmt.Fprintln(out, "flooding")
	for {
		select {
		case <-done:
			report.paused(last)
			for ; pending > 0; pending-- {
				<-finished
			}
			close(answers)
			for at := range answers {
				report.count(at)
			}
			report.Reached += len(reached)
			return json.NewEncoder(out).Encode(report)
		case at := <-answers:
			report.count(at)
		case <-reached:
			report.Reached++
		case <-finished:
			pending--
		case <-ticker.C:
			// Bounded: a closed port leaves each probe waiting for its time-out.
			if pending >= 512 {
				continue
			}
			pending++
			report.paused(last)
			last = time.Now()
			report.Sent++
			go func() {
				switch result := probe.ask(); {
				case result.Open:
					answers <- time.Since(begin).Milliseconds()
				case result.Reached:
					reached <- struct{}{}
				}
				finished <- struct{}{}
			}()
		}
	}
}

func (f *Flood) paused(since time.Time) {
	f.LongestPauseMs = max(f.LongestPauseMs, time.Since(since).Milliseconds())
}

func (f *Flood) count(at int64) {
	f.Answers++
	if f.FirstAnswerMs < 0 {
		f.FirstAnswerMs = at
	}
	f.LastAnswerMs = at
}
