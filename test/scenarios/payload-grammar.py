"""Reads the source of payloads, JSON {name: source} on standard input, by the grammar of Python 3.5 itself, as parso has it;
prints JSON {name: [what is wrong]}."""
import json
import sys

import parso

grammar = parso.load_grammar(version='3.5')
print(json.dumps({
    name: ['%d: %s' % (error.start_pos[0], error.message) for error in grammar.iter_errors(grammar.parse(source))]
    for name, source in json.load(sys.stdin).items()
}))
