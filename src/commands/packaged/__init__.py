"""What a package that ``make package`` writes holds besides modules of this repository."""
