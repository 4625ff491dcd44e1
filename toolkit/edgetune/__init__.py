"""The workstation side of edgetune: tools, data, training, evaluation and the command line."""
