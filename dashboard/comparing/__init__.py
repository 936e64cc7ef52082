"""Two to eight runs of a task against each other: on the samples that all of them have, with paired uncertainty."""
