"""Reads scripts (JSON, name to text) from standard input; says of each whether a PowerShell grammar takes it whole."""
import json
import sys

import tree_sitter
import tree_sitter_powershell


def faults(node):
    if node.type == 'ERROR' or node.is_missing:
        return ['%d:%d %s' % (node.start_point[0] + 1, node.start_point[1] + 1, node.type)]
    return [fault for child in node.children for fault in faults(child)]


parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
print(json.dumps({name: faults(parser.parse(text.encode()).root_node) for name, text in json.load(sys.stdin).items()}))
