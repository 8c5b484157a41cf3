"""What every program needs: parameters, logging, files, errors, other programs."""
