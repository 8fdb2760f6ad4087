"""The process that runs the stages of a cluster on Faust, and what keeps it running."""
