def behaviour(arguments):
    """Runs a small test suite in this process, as a developer does."""
    import io
    import unittest

    class Sums(unittest.TestCase):
        def test_of_nothing(self):
            self.assertEqual(sum([]), 0)

        def test_of_numbers(self):
            self.assertEqual(sum([1, 2, 3]), 6)

    tests = unittest.defaultTestLoader.loadTestsFromTestCase(Sums)
    result = unittest.TextTestRunner(stream=io.StringIO()).run(tests)
    return {'did': 'ran %d unit tests, of which %d failed' % (result.testsRun, len(result.failures + result.errors))}
