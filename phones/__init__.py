"""Real phones, SIPp and tone tools: what the demo, the tests and the benchmarks call with."""
