"""A package that does nothing: what a scenario imports from a folder where no packages are installed."""
NAME = 'inert'
