"""The beginning of a program in a single file: takes from its arguments where the receipt is to go (--receipt PATH).

The operator puts receipt.py and a line main() behind it and packs that, see docs/scenarios.md.
"""
import sys

place = sys.argv.index('--receipt')
RECEIPT_PATH = sys.argv[place + 1]
del sys.argv[place:place + 2]
