"""Code that every program needs: parameters, logging, files, errors, subprocesses."""
