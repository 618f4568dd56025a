"""Training: the loop, and what makes sure that nothing of it is lost.

`checkpoint` writes and reads a training's state, `run_folder` is the folder it stands in, `journal` its
numbers row by row, `interruption` what Ctrl-C and SIGTERM ask of it.
"""
